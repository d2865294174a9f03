//! The program `lenet` of the corpus. Two convolutions with pooling.

use crate::assert_falls;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model LeNet(image: f32<N, 1, 28, 28>) -> f32<N, 10> {
        let conv1 = Conv2d(32, 3, padding = 1);
        let conv2 = Conv2d(64, 3, padding = 1);
        let fc1 = Linear(128);
        let fc2 = Linear(10);
        let x = image.conv1().relu().max_pool2d(2);
        let x = x.conv2().relu().max_pool2d(2);
        x.flatten(1).fc1().relu().fc2()
    }

    pub step TrainLeNet(image: f32<dyn B, 1, 28, 28>, label: u32<B>, lr: f32) -> f32<B, 10> {
        let net = LeNet();
        let logits = net(image);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss, correct = logits.argmax(1).eq(label).sum());
        logits
    }

    pub step TopThree(image: f32<dyn B, 1, 28, 28>) -> (f32<B, 3>, u32<B, 3>) {
        let net = LeNet();
        let (p, class) = net(image).softmax(-1).topk(3, axis = -1);
        (p, class)
    }
}

#[test]
fn it_trains_and_names_the_most_probable() -> Result<(), Error> {
    let device = Device::cpu();
    let image: Vec<f32> = (0..16 * 784).map(|i| (i * 13 % 64) as f32 / 64.0).collect();
    let label: Vec<u32> = (0..16).map(|i| i % 10).collect();
    let mut net = LeNet::new(&device, Seed(0))?;
    let mut train = TrainLeNet::compile(&device, TrainLeNet::dims().b(16), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..5 {
        let out = train.run(&mut net, &image, &label, 0.01)?;
        assert_eq!(out.output.shape(), [16, 10]);
        losses.push(out.loss);
    }
    assert_falls(&losses);
    let mut top = TopThree::compile(&device, TopThree::dims().b(1), &Options::default())?;
    let out = top.run(&net, &image[..784])?;
    let (p, class) = &out.output;
    assert!(p[0] >= p[1] && p[1] >= p[2] && p[2] > 0.0, "{p:?}");
    assert!(class.iter().all(|&class| class < 10) && class[0] != class[1], "{class:?}");
    Ok(())
}
