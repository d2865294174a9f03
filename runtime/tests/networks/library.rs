//! Networks of the library, in small: those of torchvision against torchvision's, keys and all.

use crate::{fill, filled, ids, networks};
use tapeless::{Device, Error, Options, Seed, model};

model! {
    use tapeless::models::{ConvNeXt, Llama, LstmClassifier, Rotary, UNet, ViT};

    pub model SmallLlama = Llama(VOCAB = 20, LAYERS = 2, HEADS = 4, KV = 2, D = 16, HIDDEN = 12);
    pub model MetaLlama = Llama(VOCAB = 20, LAYERS = 1, HEADS = 2, KV = 2, D = 8, HIDDEN = 12, THETA = 100.0, TIED = true, INTERLEAVED = true);
    pub model SmallViT = ViT(CLASSES = 3, IMAGE = 8, PATCH = 4, LAYERS = 2, HEADS = 2, D = 8, HIDDEN = 12);
    pub model SmallConvNeXt = ConvNeXt(CLASSES = 3, FIRST = 1, SECOND = 1, THIRD = 2, FOURTH = 1, C = 2, DROP = 0.0);
    pub model DeepConvNeXt = ConvNeXt(CLASSES = 3, FIRST = 1, SECOND = 1, THIRD = 2, FOURTH = 1, C = 2, DROP = 0.5);
    pub model SmallUNet = UNet(CLASSES = 3, BASE = 2, DEPTH = 2, GROUPS = 1);
    pub model SmallLstm = LstmClassifier(VOCAB = 20, WIDTH = 4, HIDDEN = 5, LAYERS = 2, CLASSES = 3, BETWEEN = 0.0, DROP = 0.0);

    /// Queries that go on where others ended.
    pub model Turned(x: f32<N, 2, T, 6>) -> f32<N, 2, T, 6> {
        #[param]
        let gain: f32<6> = ones();
        let rotary = Rotary(OFFSET = 3);
        rotary(x * gain)
    }

    pub step TrainLlama(ids: u32<dyn B, dyn T>, next: u32<B, T>) {
        let net = SmallLlama();
        let loss = cross_entropy(net(ids).flatten(0, 1), next.flatten());
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    pub step TrainMetaLlama(ids: u32<dyn B, dyn T>, next: u32<B, T>) {
        let net = MetaLlama();
        let loss = cross_entropy(net(ids).flatten(0, 1), next.flatten());
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    pub step TrainTurned(x: f32<dyn B, 2, dyn T, 6>, y: f32<B, 2, T, 6>) {
        let net = Turned();
        let loss = (net(x) * y).sum();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    pub step TrainViT(image: f32<dyn B, 3, 8, 8>, label: u32<B>) {
        let net = SmallViT();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    pub step TrainConvNeXt(image: f32<dyn B, 3, dyn H, dyn W>, label: u32<B>) {
        let net = SmallConvNeXt();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    #[train]
    pub step SayTraining(image: f32<dyn B, 3, 32, 32>) -> f32<B, 3> {
        let net = DeepConvNeXt();
        net(image)
    }

    pub step Say(image: f32<dyn B, 3, 32, 32>) -> f32<B, 3> {
        let net = DeepConvNeXt();
        net(image)
    }

    pub step TrainUNet(image: f32<dyn B, 3, dyn H, dyn W>, mask: u32<B, H, W>) {
        let net = SmallUNet();
        let loss = cross_entropy(net(image), mask);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    pub step TrainLstm(ids: u32<dyn B, dyn T>, label: u32<B>) {
        let net = SmallLstm();
        let loss = cross_entropy(net(ids), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }
}

networks! {
    llama: TrainLlama of SmallLlama, [b = 2, t = 7], (&ids(14, 17, 20), &ids(14, 29, 20));
    llama_of_meta: TrainMetaLlama of MetaLlama, [b = 2, t = 5], (&ids(10, 17, 20), &ids(10, 29, 20));
    rotary: TrainTurned of Turned, [b = 2, t = 4], (&filled(96, 17, 512.0), &filled(96, 29, 512.0));
    vit: TrainViT of SmallViT, [b = 3], (&filled(576, 17, 512.0), &ids(3, 29, 3));
    conv_next: TrainConvNeXt of SmallConvNeXt, [b = 2, h = 32, w = 64], (&filled(12288, 17, 512.0), &ids(2, 29, 3));
    u_net: TrainUNet of SmallUNet, [b = 2, h = 8, w = 12], (&filled(576, 17, 512.0), &ids(192, 29, 3));
    lstm_classifier: TrainLstm of SmallLstm, [b = 3, t = 6], (&ids(18, 17, 20), &ids(3, 29, 3));
}

#[test]
fn samples_are_left_out_while_a_network_trains_and_only_then() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = DeepConvNeXt::new(&device, Seed(2))?;
    fill(&mut net)?;
    let image = filled(8 * 3 * 32 * 32, 17, 512.0);
    let mut train = SayTraining::compile(&device, SayTraining::dims().b(8), &Options::default())?;
    let mut say = Say::compile(&device, Say::dims().b(8), &Options::default())?;
    let said = say.run(&net, &image)?.output.to_vec();
    let first = train.run(&mut net, &image)?.output.to_vec();
    let second = train.run(&mut net, &image)?.output.to_vec();
    let differing = |one: &[f32], other: &[f32]| {
        one.chunks(3)
            .zip(other.chunks(3))
            .filter(|(one, other)| one.iter().zip(*other).any(|(a, b)| (a - b).abs() > 1e-4))
            .count()
    };
    // Four of five blocks leave a sample out with probabilities from 1/8 to 1/2.
    assert!(differing(&first, &said) >= 4 && differing(&first, &second) >= 4, "{first:?} {second:?} {said:?}");
    assert_eq!(say.run(&net, &image)?.output.to_vec(), said);
    Ok(())
}
