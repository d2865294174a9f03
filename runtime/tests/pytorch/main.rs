//! Files of PyTorch's: those that it wrote, those that are made to do harm, those that are damaged, and what it makes of ours.

mod allocator;
mod damaged;
#[path = "../folder/mod.rs"]
mod folder;
mod hostile;
mod shipped;

use std::path::PathBuf;
use tapeless::model;

model! {
    use tapeless::models::{ConvNeXt, MobileNetV2, ResNet18, ViT};

    pub model SmallViT = ViT(IMAGE = 64, LAYERS = 2, HEADS = 2, D = 32, HIDDEN = 64);
    pub model SmallConvNeXt = ConvNeXt(FIRST = 1, SECOND = 1, THIRD = 2, FOURTH = 1, C = 8);

    pub model Net(x: f32<N, 5>) -> f32<N, 3> {
        let fc1 = Linear(7);
        let fc2 = Linear(3);
        x.fc1().relu().fc2()
    }

    /// What a network of torchvision's says.
    pub model Said(x: f32<N>) -> f32<N> {
        #[state]
        let output: f32<1, 1000> = zeros();
        x
    }

    pub step ClassifyResNet(image: f32<1, 3, 64, 64>) -> f32<1, 1000> {
        let net = ResNet18();
        net(image)
    }

    pub step ClassifyMobileNet(image: f32<1, 3, 64, 64>) -> f32<1, 1000> {
        let net = MobileNetV2();
        net(image)
    }

    pub step ClassifyViT(image: f32<1, 3, 64, 64>) -> f32<1, 1000> {
        let net = SmallViT();
        net(image)
    }

    pub step ClassifyConvNeXt(image: f32<1, 3, 64, 64>) -> f32<1, 1000> {
        let net = SmallConvNeXt();
        net(image)
    }

    pub model Types(x: f32<N>) -> f32<N> {
        #[param]
        let single: f32<2, 3> = zeros();
        #[param]
        let double: f64<3> = zeros();
        #[param]
        let half: f16<2, 2> = zeros();
        #[param]
        let brief: bf16<4> = zeros();
        #[state]
        let long: i64<2> = zeros();
        #[state]
        let whole: i32<3> = zeros();
        #[state]
        let byte: u8<5> = zeros();
        #[state]
        let mask: bool<2, 3> = zeros();
        #[state]
        let count: i64 = zeros();
        x
    }
}

/// A file that PyTorch wrote.
fn shipped(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "pytorch", "files", name].iter().collect()
}
