//! What the loss of classes over turns does not take.

use tapeless::model;

model! {
    pub model Net(x: f32<T, N, 16>) -> f32<T, N, 8> {
        let fc = Linear(8);
        x.fc().log_softmax(-1)
    }

    pub step Try(x: f32<dyn T, dyn N, 16>, y: u32<N, 5>, row: u32<{5 * N}>, turns: u32<N>, lengths: u32<N>, share: f32<N>) {
        let net = Net();
        let logs = net(x);
        metric(a = ctc(logs, row, turns, lengths), b = ctc(logs, y, turns, lengths, blank = 8));
        metric(c = ctc(logs, y, share, lengths), d = ctc(logs, y.t(), turns, lengths));
    }
}

fn main() {}

// error: ctc: takes targets in a row for each sample, padded to one length, not all in one row
//          ctc(logs, row, turns, lengths): row is u32<{5 * N}>
//          row is made at wrong/ctc_arguments.rs:11:58
//   --> wrong/ctc_arguments.rs:14:23
// error: ctc: the blank 8 is none of the classes
//          logs is f32<T, N, 8>, y is u32<N, 5>, turns is u32<N>, lengths is u32<N>
//          logs is made at wrong/ctc_arguments.rs:13:13, y at wrong/ctc_arguments.rs:11:44, turns at wrong/ctc_arguments.rs:11:77, lengths at wrong/ctc_arguments.rs:11:92
//   --> wrong/ctc_arguments.rs:14:59
// error: ctc: takes lengths u32<N>, not f32<N>
//          logs is f32<T, N, 8>, y is u32<N, 5>, share is f32<N>, lengths is u32<N>
//          logs is made at wrong/ctc_arguments.rs:13:13, y at wrong/ctc_arguments.rs:11:44, share at wrong/ctc_arguments.rs:11:109, lengths at wrong/ctc_arguments.rs:11:92
//   --> wrong/ctc_arguments.rs:15:23
