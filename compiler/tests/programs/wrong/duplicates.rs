//! Names that are taken.

use tapeless::model;

model! {
    block Net(x: f32<N, C>) -> f32<N, C> {
        x
    }

    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let fc = Linear(16);
        let y = x.fc();
        #[name("fc")]
        let other = Linear(16);
        let z = y.other();
        z + x
    }

    pub model Below(x: f32<N, 16>) -> f32<N, 16> {
        #[name("")]
        let first = Seq(Linear(16));
        #[name("")]
        let second = Seq(Linear(16));
        x.first().second()
    }

    pub model Twin(x: f32<N, 4>) -> f32<N, 4> {
        x
    }

    pub step Twin(x: f32<dyn B, 16>) -> f32<B, 16> {
        let net = Below();
        net(x)
    }

    block Half<const N: usize, const N: usize>(x: f32<B, N>, x: f32<B, N>) -> f32<B, N> {
        x
    }

    pub step Rate(rate: f32, x: f32<dyn B, 16>, rate: f32) -> f32<B, 16> {
        let net = Below();
        net(x) * rate
    }
}

fn main() {}

// error: two items have the name `Net`
//          the first is at wrong/duplicates.rs:6:11
//   --> wrong/duplicates.rs:10:15
// error: two layers have the key `fc`
//          the first is bound at wrong/duplicates.rs:11:13
//   --> wrong/duplicates.rs:13:16
// error: two parameters have the key `0.weight`
//          the first belongs to what is bound at wrong/duplicates.rs:21:13
//   --> wrong/duplicates.rs:24:19
// error: two items have the name `Twin`
//          the first is at wrong/duplicates.rs:27:15
//   --> wrong/duplicates.rs:31:14
// error: two consts have the name `N`
//          the first is at wrong/duplicates.rs:36:22
//   --> wrong/duplicates.rs:36:38
// error: two inputs have the name `x`
//          the first is at wrong/duplicates.rs:36:48
//   --> wrong/duplicates.rs:36:62
// error: two inputs have the name `rate`
//          the first is at wrong/duplicates.rs:40:19
//   --> wrong/duplicates.rs:40:49
