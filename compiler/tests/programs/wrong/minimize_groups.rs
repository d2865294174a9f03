//! Groups whose patterns match nothing, or whose arguments are not those of the optimizer.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc1 = Linear(8);
        let fc2 = Linear(4);
        x.fc1().relu().fc2()
    }

    pub step TrainA(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("*.bais", lr = 0.0), ("fc2.*", lr = 0.1 * lr)]);
    }

    pub step TrainB(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("conv*", lr = 0.0)]);
    }

    pub step TrainC(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("*.bias", decay = 0.0)]);
    }

    pub step TrainD(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("*.bias", nesterov = true)]);
    }

    pub step TrainE(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("*.bias", 0.0)]);
    }

    pub step TrainF(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [(lr = 0.0), "*.bias"]);
    }

    pub step TrainG(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = ("*.bias", lr = 0.0));
    }
}

fn main() {}

// error: 
