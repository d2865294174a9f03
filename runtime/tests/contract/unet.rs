//! The program `unet` of the corpus. Classes of the points of images of any extents.

use crate::assert_falls;
use tapeless::{Device, Error, Options, Seed, bf16, model};

model! {
    block Double<const C: usize, const GROUPS: usize = 8>(x: f32<N, I, H, W>) -> f32<N, C, H, W> {
        #[name("")]
        let layers = Seq(
            Conv2d(C, 3, padding = 1, bias = false), GroupNorm(GROUPS), silu,
            Conv2d(C, 3, padding = 1, bias = false), GroupNorm(GROUPS), silu,
        );
        layers(x)
    }

    pub model UNet<const CLASSES: usize = 2, const BASE: usize = 16, const DEPTH: usize = 3>(image: f32<N, 3, H, W>) -> f32<N, CLASSES, H, W> {
        const STRIDE: usize = 1 << DEPTH;
        assert!(H % STRIDE == 0 && W % STRIDE == 0, "{H} x {W} is no multiple of {STRIDE}");

        let mut x = image;
        let mut skips = [];
        for i in 0..DEPTH {
            #[name("down.{i}")]
            let down = Double(BASE << i);
            x = down(x);
            skips.push(x);
            x = x.max_pool2d(2);
        }
        let middle = Double(BASE << DEPTH);
        x = middle(x);
        for i in 0..DEPTH {
            let level = DEPTH - 1 - i;
            #[name("up.{i}.rise")]
            let rise = ConvTranspose2d(BASE << level, 2, stride = 2);
            #[name("up.{i}.merge")]
            let merge = Double(BASE << level);
            x = merge(cat([skips[level], rise(x)], 1));
        }
        let head = Conv2d(CLASSES, 1);
        head(x)
    }

    pub step TrainUNet(image: f32<dyn B, 3, dyn H, dyn W>, mask: u32<B, H, W>, lr: f32) {
        let net = UNet();
        let logits = net(image);
        let loss = cross_entropy(logits, mask);
        minimize(loss, over = net, with = AdamW(lr), clip_norm = 1.0);
        let right = logits.argmax(1).eq(mask).sum();
        metric(loss, accuracy = right.cast(f32) / f32(B * H * W));
    }

    pub step Segment(image: bf16<dyn B, 3, dyn H, dyn W>) -> bool<B, H, W> {
        let net = UNet();
        let logits = net(image.cast(f32));
        logits.at(1, 1) > logits.at(1, 0)
    }
}

#[test]
fn it_trains_and_refuses_extents_that_do_not_halve() -> Result<(), Error> {
    let device = Device::cpu();
    let (h, w) = (32, 48);
    let image: Vec<f32> = (0..2 * 3 * h * w).map(|i| (i % 50) as f32 / 50.0).collect();
    let mask: Vec<u32> = (0..2 * h * w).map(|i| (i / 16 % 2) as u32).collect();
    let mut net = UNet::new(&device, Seed(0))?;
    let mut train = TrainUNet::compile(&device, TrainUNet::dims().b(2).h(h).w(w), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..10 {
        let out = train.run(&mut net, &image, &mask, 1e-3)?;
        assert!((0.0..=1.0).contains(&out.accuracy), "{}", out.accuracy);
        losses.push(out.loss);
    }
    assert_falls(&losses);

    let wrong = TrainUNet::compile(&device, TrainUNet::dims().b(2).h(30).w(48), &Options::default());
    let error = wrong.expect_err("30 is no multiple of 8").to_string();
    assert!(error.contains("H x W is no multiple of 8"), "{error}");
    let unset = TrainUNet::compile(&device, TrainUNet::dims().b(2).h(32), &Options::default());
    let error = unset.expect_err("an extent is not set").to_string();
    assert!(error.contains("the extent W is not set"), "{error}");

    let mut segment = Segment::compile(&device, Segment::dims().b(2).h(h).w(w), &Options::default())?;
    let brief: Vec<bf16> = image.iter().map(|&x| bf16::from_f32(x)).collect();
    let inside = segment.run(&net, &brief)?.output.iter().filter(|&&inside| inside).count();
    assert!(inside > 0 && inside < 2 * h * w, "{inside}");
    Ok(())
}
