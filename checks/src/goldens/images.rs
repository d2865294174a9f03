//! Networks for images, of the library: convolutions, pooling, batch norm.

use super::{Golden, golden};
use tapeless::model;
use tapeless::models::ResNet18;

model! {
    use tapeless::models::{LeNet, MobileNetV2, ResNet18};

    pub model Digits = LeNet(10, DROP = 0.0);
    pub model Keypoints = MobileNetV2(10, DROP = 0.0);

    pub step TrainDigits(image: f32<dyn B, 1, 28, 28>, label: u32<B>, lr: f32) -> f32<B, 10> {
        let net = Digits();
        let logits = net(image);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss);
        logits
    }

    pub step TrainResNet(image: f32<dyn B, 3, 64, 64>, label: u32<B>, lr: f32) -> f32<B, 1000> {
        let net = ResNet18();
        let logits = net(image);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss);
        logits
    }

    pub step TrainResNetSum(image: f32<dyn B, 3, 64, 64>, labels: f32<B, 1000>, lr: f32) -> f32<B, 1000> {
        let net = ResNet18();
        let pred = net(image);
        let loss = (pred - labels).sum();
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss);
        pred
    }

    pub step TrainKeypoints(image: f32<dyn B, 3, 224, 224>, points: f32<B, 5, 2>, lr: f32) -> f32<B, 10> {
        let net = Keypoints();
        let pred = net(image);
        let loss = mse(pred.reshape([B, 5, 2]), points);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
        pred
    }
}

/// Networks for images. They take seconds, and hours where a device is emulated.
pub fn images() -> Vec<Golden> {
    vec![
        golden!(
            "lenet",
            Digits,
            TrainDigits,
            |r, lr| TrainDigits::dims().b(r.extent("x", 0)),
            (&r.floats("x"), &r.integers("y"), lr)
        ),
        golden!(
            "resnet18_sum",
            ResNet18,
            TrainResNetSum,
            |r, lr| TrainResNetSum::dims().b(r.extent("x", 0)),
            (&r.floats("x"), &r.floats("y"), lr)
        ),
        golden!(
            "resnet18_ce",
            ResNet18,
            TrainResNet,
            |r, lr| TrainResNet::dims().b(r.extent("x", 0)),
            (&r.floats("x"), &r.integers("y"), lr)
        ),
        golden!(
            "mobilenetv2_keypoints",
            Keypoints,
            TrainKeypoints,
            |r, lr| TrainKeypoints::dims().b(r.extent("x", 0)),
            (&r.floats("x"), &r.floats("y"), lr)
        ),
    ]
}
