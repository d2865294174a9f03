//! A metric without a name, two of one name, and one with the name of a field.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        x.fc()
    }

    pub step Test(x: f32<dyn B, 16>, y: f32<B, 4>) {
        let net = Net();
        let loss = mse(net(x), y);
        metric(loss, net(x).mean());
        metric(loss);
        metric(output = loss);
    }
}

fn main() {}

// error: a metric that is no binding needs a name: metric(name = net(x).mean())
//   --> wrong/metrics.rs:14:22
// error: two metrics have the name `loss`
//   --> wrong/metrics.rs:15:16
// error: `output` is the field of the step's own outputs: name the metric otherwise
//   --> wrong/metrics.rs:16:16
