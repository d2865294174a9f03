//! Networks from images to the classes of their points: Ronneberger, Fischer and Brox, "U-Net: convolutional networks for
//! biomedical image segmentation" (2015), with norms of groups and borders that keep the extents.

use crate::model;

model! {
    /// Two convolutions, each with a norm and an activation.
    pub block DoubleConv<const C: usize, const GROUPS: usize = 8>(x: f32<N, I, H, W>) -> f32<N, C, H, W> {
        #[name("")]
        let layers = Seq(
            Conv2d(C, 3, padding = 1, bias = false), GroupNorm(GROUPS), silu,
            Conv2d(C, 3, padding = 1, bias = false), GroupNorm(GROUPS), silu,
        );
        layers(x)
    }

    /// Down by halves, up again, and what each level on the way down knew beside what comes from below. Extents are multiples of
    /// two to the power of `DEPTH`.
    pub model UNet<const CLASSES: usize = 2, const BASE: usize = 16, const DEPTH: usize = 3, const CHANNELS: usize = 3, const GROUPS: usize = 8>(image: f32<N, CHANNELS, H, W>) -> f32<N, CLASSES, H, W> {
        const STRIDE: usize = 1 << DEPTH;
        assert!(H % STRIDE == 0 && W % STRIDE == 0, "{H} x {W} is no multiple of {STRIDE}");
        let mut x = image;
        let mut skips = [];
        for i in 0..DEPTH {
            #[name("down.{i}")]
            let down = DoubleConv(BASE << i, GROUPS);
            x = down(x);
            skips.push(x);
            x = x.max_pool2d(2);
        }
        let middle = DoubleConv(BASE << DEPTH, GROUPS);
        x = middle(x);
        for i in 0..DEPTH {
            let level = DEPTH - 1 - i;
            #[name("up.{i}.rise")]
            let rise = ConvTranspose2d(BASE << level, 2, stride = 2);
            #[name("up.{i}.merge")]
            let merge = DoubleConv(BASE << level, GROUPS);
            x = merge(cat([skips[level], rise(x)], 1));
        }
        let head = Conv2d(CLASSES, 1);
        head(x)
    }
}
