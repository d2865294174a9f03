//! Convolutional networks in the manner of transformers: Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s"
//! (2022).

use crate::model;

model! {
    /// A norm over the channels of every point.
    block ChannelNorm(x: f32<N, C, H, W>) -> f32<N, C, H, W> {
        #[name("")]
        let norm = LayerNorm(eps = 1e-6);
        x.permute([0, 2, 3, 1]).norm().permute([0, 3, 1, 2])
    }

    /// Leaves out whole samples while it trains.
    block StochasticDepth<const P: f32>(x: f32<N, C, H, W>) -> f32<N, C, H, W> {
        if training && P > 0.0 {
            x * (bernoulli(1.0 - P, shape = [N, 1, 1, 1]) / (1.0 - P))
        } else {
            x
        }
    }

    /// Channels last.
    block Last(x: f32<N, C, H, W>) -> f32<N, H, W, C> {
        x.permute([0, 2, 3, 1])
    }

    /// Channels before rows and columns.
    block Second(x: f32<N, H, W, C>) -> f32<N, C, H, W> {
        x.permute([0, 3, 1, 2])
    }

    /// A convolution of each channel by itself, then two linear layers over the channels, beside the way around.
    pub block CnBlock<const DROP: f32 = 0.0>(x: f32<N, C, H, W>) -> f32<N, C, H, W> {
        #[param]
        let layer_scale: f32<C, 1, 1> = constant(1e-6);
        let block = Seq(
            Conv2d(C, 7, padding = 3, groups = C),
            Last(),
            LayerNorm(eps = 1e-6),
            Linear(4 * C),
            gelu,
            Linear(C),
            Second(),
        );
        let depth = StochasticDepth(DROP);
        x + depth(layer_scale * block(x))
    }

    /// Four stages of so many blocks with so many channels: `convnext_tiny`, unless consts say another. Samples are left out in
    /// more blocks the deeper they lie, in the last one with probability `DROP`.
    pub model ConvNeXt<const CLASSES: usize = 1000, const FIRST: usize = 3, const SECOND: usize = 3, const THIRD: usize = 9, const FOURTH: usize = 3, const C: usize = 96, const DROP: f32 = 0.1>(image: f32<N, 3, H, W>) -> f32<N, CLASSES> {
        const LAST: usize = FIRST + SECOND + THIRD + FOURTH - 1;
        #[name("features.0")]
        let stem = Seq(Conv2d(C, 4, stride = 4), ChannelNorm());
        let mut x = stem(image);
        let mut before = 0;
        for (stage, blocks) in [FIRST, SECOND, THIRD, FOURTH].enumerate() {
            if stage > 0 {
                #[name("features.{2 * stage}")]
                let fewer = Seq(ChannelNorm(), Conv2d(C << stage, 2, stride = 2));
                x = fewer(x);
            }
            for i in 0..blocks {
                #[name("features.{2 * stage + 1}.{i}")]
                let block = CnBlock(DROP * before / LAST);
                x = block(x);
                before += 1;
            }
        }
        let classifier = Seq(ChannelNorm(), Flatten(), Linear(CLASSES));
        x.mean([2, 3], keepdim = true).classifier()
    }
}
