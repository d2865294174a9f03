//! The program `mobilenetv2` of the corpus. Key points by inverted residuals.

use crate::assert_falls;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    block ConvNormAct<const O: usize, const K: usize, const S: usize = 1, const G: usize = 1>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        #[name("")]
        let layers = Seq(Conv2d(O, K, stride = S, padding = (K - 1) / 2, groups = G, bias = false), BatchNorm2d(), Relu6());
        layers(x)
    }

    block InvertedResidual<const O: usize, const T: usize, const S: usize>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        let hidden = I * T;
        let conv = Seq(
            if T != 1 { ConvNormAct(hidden, 1) },
            ConvNormAct(hidden, 3, S = S, G = hidden),
            Conv2d(O, 1, bias = false),
            BatchNorm2d(),
        );
        if S == 1 && I == O { x + conv(x) } else { conv(x) }
    }

    pub model MobileNetV2<const CLASSES: usize = 1000, const DROP: f32 = 0.2>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        const TABLE: [(usize, usize, usize, usize); 7] =
            [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

        let mut i = 0;
        #[name("features.{i}")]
        let stem = ConvNormAct(32, 3, S = 2);
        let mut x = stem(image);
        for (t, c, n, s) in TABLE {
            for k in 0..n {
                i += 1;
                #[name("features.{i}")]
                let block = InvertedResidual(c, t, if k == 0 { s } else { 1 });
                x = block(x);
            }
        }
        i += 1;
        #[name("features.{i}")]
        let last = ConvNormAct(1280, 1);
        let classifier = Seq(Dropout(DROP), Linear(CLASSES));
        x.last().adaptive_avg_pool2d(1).flatten(1).classifier()
    }

    pub model Keypoints = MobileNetV2(10, DROP = 0.0);
    pub model Flowers = MobileNetV2(CLASSES = 102);

    pub step TrainKeypoints(image: f32<dyn B, 3, 224, 224>, points: f32<B, 5, 2>, lr: f32) -> f32<B, 10> {
        let net = Keypoints();
        let pred = net(image);
        let loss = mse(pred.reshape([B, 5, 2]), points);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
        pred
    }

    pub step FindKeypoints(image: f32<dyn B, 3, 224, 224>) -> f32<B, 5, 2> {
        let net = Keypoints();
        net(image).reshape([-1, 5, 2])
    }

    pub step ClassifyFlowers(image: f32<dyn B, 3, dyn H, dyn W>) -> u32<B> {
        let net = Flowers();
        net(image).argmax(1)
    }
}

#[test]
fn it_trains_and_finds_points_of_images_of_any_extents() -> Result<(), Error> {
    let device = Device::cpu();
    let image: Vec<f32> = (0..2 * 3 * 224 * 224).map(|i| (i % 97) as f32 / 97.0).collect();
    let points = vec![0.5f32; 2 * 5 * 2];
    let mut net = Keypoints::new(&device, Seed(0))?;
    let mut train = TrainKeypoints::compile(&device, TrainKeypoints::dims().b(2), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..3 {
        losses.push(train.run(&mut net, &image, &points, 0.001)?.loss);
    }
    assert_falls(&losses);
    let mut find = FindKeypoints::compile(&device, FindKeypoints::dims().b(1), &Options::default())?;
    assert_eq!(find.run(&net, &image[..3 * 224 * 224])?.output.shape(), [1, 5, 2]);
    let flowers = Flowers::new(&device, Seed(0))?;
    let dims = ClassifyFlowers::dims().b(2).h(64).w(96);
    let mut classify = ClassifyFlowers::compile(&device, dims, &Options::default())?;
    let classes = classify.run(&flowers, &image[..2 * 3 * 64 * 96])?.output.to_vec();
    assert!(classes.len() == 2 && classes.iter().all(|&class| class < 102), "{classes:?}");
    Ok(())
}
