//! The program `resnet18` of the corpus. Two losses over one residual network.

use crate::assert_falls;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    block BasicBlock<const O: usize, const S: usize = 1>(x: f32<N, I, H, W>) -> f32<N, O, {(H - 1) / S + 1}, {(W - 1) / S + 1}> {
        let conv1 = Conv2d(O, 3, stride = S, padding = 1, bias = false);
        let bn1 = BatchNorm2d();
        let conv2 = Conv2d(O, 3, padding = 1, bias = false);
        let bn2 = BatchNorm2d();
        let skip = if S != 1 || I != O {
            let downsample = Seq(Conv2d(O, 1, stride = S, bias = false), BatchNorm2d());
            downsample(x)
        } else {
            x
        };
        relu(x.conv1().bn1().relu().conv2().bn2() + skip)
    }

    pub model ResNet18<const CLASSES: usize = 1000>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        let conv1 = Conv2d(64, 7, stride = 2, padding = 3, bias = false);
        let bn1 = BatchNorm2d();
        let mut x = image.conv1().bn1().relu().max_pool2d(3, stride = 2, padding = 1);
        for (stage, c) in [(1, 64), (2, 128), (3, 256), (4, 512)] {
            for i in 0..2 {
                #[name("layer{stage}.{i}")]
                let block = BasicBlock(c, S = if stage > 1 && i == 0 { 2 } else { 1 });
                x = block(x);
            }
        }
        let fc = Linear(CLASSES);
        x.mean([2, 3]).fc()
    }

    pub model Flowers = ResNet18(102);

    pub step TrainResNet(image: f32<dyn B, 3, 64, 64>, label: u32<B>, lr: f32) -> f32<B, 1000> {
        let net = ResNet18();
        let logits = net(image);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss, correct = logits.argmax(1).eq(label).sum());
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

    pub step ClassifyResNet(image: f32<dyn B, 3, 64, 64>) -> f32<B, 1000> {
        let net = ResNet18();
        net(image).softmax(1)
    }

    pub step ClassifyFlowers(image: f32<dyn B, 3, 224, 224>) -> (u32<B>, f32<B>) {
        let net = Flowers();
        let p = net(image).softmax(1);
        (p.argmax(1), p.amax(1))
    }
}

#[test]
fn both_steps_train_and_an_alias_has_other_classes() -> Result<(), Error> {
    let device = Device::cpu();
    let image: Vec<f32> = (0..4 * 3 * 64 * 64).map(|i| (i % 97) as f32 / 97.0).collect();
    let label = vec![1, 22, 333, 999];
    let mut net = ResNet18::new(&device, Seed(0))?;
    let mut train = TrainResNet::compile(&device, TrainResNet::dims().b(4), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..3 {
        losses.push(train.run(&mut net, &image, &label, 0.01)?.loss);
    }
    assert_falls(&losses);
    let mut train = TrainResNetSum::compile(&device, TrainResNetSum::dims().b(1), &Options::default())?;
    let out = train.run(&mut net, &image[..3 * 64 * 64], &vec![0.5; 1000], 0.01)?;
    let sum: f32 = out.output.iter().map(|said| said - 0.5).sum();
    assert!((out.loss - sum).abs() < 1e-3 * sum.abs().max(100.0), "{} is not {sum}", out.loss);
    let mut classify = ClassifyResNet::compile(&device, ClassifyResNet::dims().b(4), &Options::default())?;
    assert_eq!(classify.run(&net, &image)?.output.shape(), [4, 1000]);
    let flowers = Flowers::new(&device, Seed(0))?;
    let mut classify = ClassifyFlowers::compile(&device, ClassifyFlowers::dims().b(1), &Options::default())?;
    let out = classify.run(&flowers, &vec![0.5; 3 * 224 * 224])?;
    let (class, p) = (out.output.0[0], out.output.1[0]);
    assert!(class < 102 && p > 1.0 / 102.0 && p <= 1.0, "{class} with {p}");
    Ok(())
}
