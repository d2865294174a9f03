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

