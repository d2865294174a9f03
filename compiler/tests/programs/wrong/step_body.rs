//! What stands in steps only, and what does not.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        let y = x.fc();
        metric(y);
        minimize(y.sum(), over = fc, with = Sgd(0.1));
        y
    }

    pub model Good(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        x.fc()
    }

    pub step Nothing(x: f32<dyn B, 16>) {
        let net = Good();
        let y = net(x);
    }

    pub step Silent(x: f32<dyn B, 16>) -> f32<B, 4> {
        let net = Good();
        let y = net(x);
    }

    pub step Loud(x: f32<dyn B, 16>) {
        let net = Good();
        metric(y = net(x));
        net(x)
    }

    pub step Several(x: f32<dyn B, 16>) -> f32<B, 4> {
        let nets = [Good(); 2];
        let first = nets[0];
        first(x)
    }

    pub step Own(x: f32<dyn B, 16>) -> f32<B, 16> {
        #[param]
        let w: f32<16> = ones();
        x * w
    }
}

fn main() {}

// error: `metric` stands in steps only
//   --> wrong/step_body.rs:9:9
// error: `minimize` stands in steps only
//   --> wrong/step_body.rs:10:9
// error: Nothing computes nothing: it has no output, metric or minimize
//   --> wrong/step_body.rs:19:14
// error: Silent: the signature has outputs, the body gives nothing
//   --> wrong/step_body.rs:24:14
// error: Loud: the body gives a value, the signature has no `->`
//   --> wrong/step_body.rs:32:9
// error: a step binds each model by a `let` of its own
//   --> wrong/step_body.rs:36:13
// error: a step holds no parameters: `w` would belong to no model
//          move `w` into a model, and name that model here
//   --> wrong/step_body.rs:43:13
