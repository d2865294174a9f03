//! Networks of inverted residuals: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear
//! bottlenecks" (2018).

use crate::model;

model! {
    /// A convolution, the norm of its batch, and an activation.
    pub block ConvNormAct<const O: usize, const K: usize, const S: usize = 1, const G: usize = 1>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        #[name("")]
        let layers = Seq(Conv2d(O, K, stride = S, padding = (K - 1) / 2, groups = G, bias = false), BatchNorm2d(), Relu6());
        layers(x)
    }

    /// More channels, a convolution of each by itself, and fewer channels again.
    pub block InvertedResidual<const O: usize, const T: usize, const S: usize>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        let hidden = I * T;
        let conv = Seq(
            if T != 1 { ConvNormAct(hidden, 1) },
            ConvNormAct(hidden, 3, S = S, G = hidden),
            Conv2d(O, 1, bias = false),
            BatchNorm2d(),
        );
        if S == 1 && I == O { x + conv(x) } else { conv(x) }
    }

    /// Seventeen inverted residuals. Images of any extents, in three channels.
    pub model MobileNetV2<const CLASSES: usize = 1000, const DROP: f32 = 0.2>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        let mut at = 0;
        #[name("features.{at}")]
        let first = ConvNormAct(32, 3, S = 2);
        let mut x = first(image);
        for (times, channels, blocks, stride) in
            [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
        {
            for i in 0..blocks {
                at += 1;
                #[name("features.{at}")]
                let block = InvertedResidual(channels, times, if i == 0 { stride } else { 1 });
                x = block(x);
            }
        }
        at += 1;
        #[name("features.{at}")]
        let last = ConvNormAct(1280, 1);
        let classifier = Seq(Dropout(DROP), Linear(CLASSES));
        x.last().mean([2, 3]).classifier()
    }
}
