//! Blocks of networks for images, with the keys of torchvision's.

use crate::{filled, ids, networks};
use tapeless::model;

model! {
    /// Channels of two groups, taken by turns.
    block Shuffle<const GROUPS: usize>(x: f32<N, C, H, W>) -> f32<N, C, H, W> {
        x.reshape([N, GROUPS, C / GROUPS, H, W]).transpose(1, 2).flatten(1, 2)
    }

    block ShuffleUnit<const O: usize, const S: usize>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        let half = O / 2;
        let branch2 = Seq(
            Conv2d(half, 1, bias = false), BatchNorm2d(), relu,
            Conv2d(half, 3, stride = S, padding = 1, groups = half, bias = false), BatchNorm2d(),
            Conv2d(half, 1, bias = false), BatchNorm2d(), relu,
        );
        let shuffle = Shuffle(2);
        if S > 1 {
            let branch1 = Seq(
                Conv2d(I, 3, stride = S, padding = 1, groups = I, bias = false), BatchNorm2d(),
                Conv2d(half, 1, bias = false), BatchNorm2d(), relu,
            );
            shuffle(cat([branch1(x), branch2(x)], 1))
        } else {
            let [kept, changed] = x.chunk(2, 1);
            shuffle(cat([kept, branch2(changed)], 1))
        }
    }

    pub model ShuffleNet(image: f32<N, 4, H, W>) -> f32<N, 3> {
        let first = ShuffleUnit(8, 2);
        let second = ShuffleUnit(8, 1);
        let fc = Linear(3);
        image.first().second().mean([2, 3]).fc()
    }

    pub step TrainShuffleNet(image: f32<dyn B, 4, dyn H, dyn W>, label: u32<B>) {
        let net = ShuffleNet();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// How much of each channel passes, from the means of all.
    block SqueezeExcite<const C: usize>(x: f32<N, I, H, W>) -> f32<N, I, H, W> {
        let fc1 = Conv2d(C, 1);
        let fc2 = Conv2d(I, 1);
        x * x.adaptive_avg_pool2d(1).fc1().silu().fc2().sigmoid()
    }

    block Inverted<const O: usize, const TIMES: usize, const S: usize>(x: f32<N, I, H, W>) {
        let wide = I * TIMES;
        let block = Seq(
            Seq(Conv2d(wide, 1, bias = false), BatchNorm2d(), silu),
            Seq(Conv2d(wide, 3, stride = S, padding = 1, groups = wide, bias = false), BatchNorm2d(), silu),
            SqueezeExcite(2),
            Seq(Conv2d(O, 1, bias = false), BatchNorm2d()),
        );
        if S == 1 && I == O { x + x.block() } else { x.block() }
    }

    pub model EfficientNet(image: f32<N, 3, H, W>) -> f32<N, 3> {
        let features = Seq(Inverted(4, 2, 2), Inverted(4, 3, 1));
        let fc = Linear(3);
        features(image).mean((2, 3)).fc()
    }

    pub step TrainEfficientNet(image: f32<dyn B, 3, dyn H, dyn W>, label: u32<B>) {
        let net = EfficientNet();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    block BasicConv<const O: usize, const K: usize>(x: f32<N, I, H, W>) -> f32<N, O, H, W> {
        let conv = Conv2d(O, kernel_size = K, padding = (K - 1) / 2, bias = false);
        let bn = BatchNorm2d(eps = 0.001);
        x.conv().bn().relu()
    }

    /// Four ways side by side.
    block Inception<const A: usize, const B1: usize, const B: usize, const C1: usize, const C: usize, const D: usize>(x: f32<N, I, H, W>) -> f32<N, {A + B + C + D}, H, W> {
        let branch1 = BasicConv(A, 1);
        let branch2 = Seq(BasicConv(B1, 1), BasicConv(B, 3));
        let branch3 = Seq(BasicConv(C1, 1), BasicConv(C, 3));
        let branch4 = Seq(MaxPool2d(kernel_size = 3, stride = 1, padding = 1, ceil_mode = true), BasicConv(D, 1));
        cat([branch1(x), branch2(x), branch3(x), branch4(x)], 1)
    }

    pub model GoogLeNet(image: f32<N, 3, H, W>) -> f32<N, 3> {
        let inception = Inception(2, 3, 4, 2, 3, 2);
        let fc = Linear(3);
        image.inception().avg_pool2d(3, stride = 2, padding = 1, count_include_pad = false).amax([2, 3]).fc()
    }

    pub step TrainGoogLeNet(image: f32<dyn B, 3, dyn H, dyn W>, label: u32<B>) {
        let net = GoogLeNet();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    block DenseLayer<const GROWTH: usize>(x: f32<N, I, H, W>) -> f32<N, GROWTH, H, W> {
        let norm1 = BatchNorm2d();
        let conv1 = Conv2d(2 * GROWTH, 1, bias = false);
        let norm2 = BatchNorm2d();
        let conv2 = Conv2d(GROWTH, 3, padding = 1, bias = false);
        x.norm1().relu().conv1().norm2().relu().conv2()
    }

    /// Every layer sees what all layers before it made.
    block DenseBlock<const LAYERS: usize, const GROWTH: usize>(x: f32<N, I, H, W>) -> f32<N, {I + LAYERS * GROWTH}, H, W> {
        let mut features = [x];
        for i in 1..=LAYERS {
            #[name("denselayer{i}")]
            let layer = DenseLayer(GROWTH);
            features.push(layer(cat(features, 1)));
        }
        cat(features, 1)
    }

    pub model DenseNet(image: f32<N, 4, H, W>) -> f32<N, 3> {
        let block = DenseBlock(3, 2);
        let norm = BatchNorm2d();
        let conv = Conv2d(5, 1, bias = false);
        let classifier = Linear(3);
        let x = image.block().norm().relu().conv().avg_pool2d(2, stride = 2);
        x.mean([2, 3]).classifier()
    }

    pub step TrainDenseNet(image: f32<dyn B, 4, dyn H, dyn W>, label: u32<B>) {
        let net = DenseNet();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// A convolution of every channel by itself, then one of every point.
    block Pair<const O: usize, const S: usize>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        #[name("")]
        let layers = Seq(
            Conv2d(I, 3, stride = S, padding = 1, groups = I, bias = false), BatchNorm2d(), Relu6(),
            Conv2d(O, 1, bias = false), BatchNorm2d(), Relu6(),
        );
        x.layers()
    }

    pub model Separable(image: f32<N, 3, H, W>) -> f32<N, 3> {
        let mut x = image;
        for (i, (channels, stride)) in [(4, 2), (6, 1), (8, 2)].enumerate() {
            #[name("model.{i}")]
            let pair = Pair(channels, S = stride);
            x = x.pair();
        }
        let fc = Linear(3);
        x.adaptive_avg_pool2d((1, 1)).flatten(1).fc()
    }

    pub step TrainSeparable(image: f32<dyn B, 3, dyn H, dyn W>, label: u32<B>) {
        let net = Separable();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Which channels and which points count: from means and maxima of both.
    pub model Attentive(image: f32<N, 6, H, W>) -> f32<N, 3> {
        let mlp = Seq(Linear(2, bias = false), relu, Linear(6, bias = false));
        let spatial = Conv2d(1, 7, padding = 3, bias = false);
        let fc = Linear(3);
        let channels = (image.mean([2, 3]).mlp() + image.amax([2, 3]).mlp()).sigmoid();
        let x = image * channels.unsqueeze(-1).unsqueeze(-1);
        let (most, _) = x.max(1, keepdim = true);
        let points = cat([x.mean(1, keepdim = true), most], 1).spatial().sigmoid();
        (x * points).mean([2, 3]).fc()
    }

    pub step TrainAttentive(image: f32<dyn B, 6, dyn H, dyn W>, label: u32<B>) {
        let net = Attentive();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }
}

networks! {
    shuffle_net: TrainShuffleNet of ShuffleNet, [b = 3, h = 6, w = 5], (&filled(360, 17, 512.0), &ids(3, 29, 3));
    efficient_net: TrainEfficientNet of EfficientNet, [b = 3, h = 6, w = 8], (&filled(432, 17, 512.0), &ids(3, 29, 3));
    google_net: TrainGoogLeNet of GoogLeNet, [b = 2, h = 5, w = 6], (&filled(180, 17, 512.0), &ids(2, 29, 3));
    dense_net: TrainDenseNet of DenseNet, [b = 2, h = 4, w = 6], (&filled(192, 17, 512.0), &ids(2, 29, 3));
    separable: TrainSeparable of Separable, [b = 3, h = 9, w = 8], (&filled(648, 17, 512.0), &ids(3, 29, 3));
    attentive: TrainAttentive of Attentive, [b = 2, h = 5, w = 4], (&filled(240, 17, 512.0), &ids(2, 29, 3));
}
