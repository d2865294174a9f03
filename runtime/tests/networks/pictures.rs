//! Networks from images to images, and networks that compare two of a kind.

use crate::{filled, ids, networks};
use tapeless::model;

model! {
    block DoubleConv<const O: usize>(x: f32<N, I, H, W>) -> f32<N, O, H, W> {
        let double_conv = Seq(
            Conv2d(O, 3, padding = 1, bias = false), BatchNorm2d(), Relu(),
            Conv2d(O, 3, padding = 1, bias = false), BatchNorm2d(), Relu(),
        );
        x.double_conv()
    }

    block Down<const O: usize>(x: f32<N, I, H, W>) -> f32<N, O, {H / 2}, {W / 2}> {
        let maxpool_conv = Seq(MaxPool2d(2), DoubleConv(O));
        maxpool_conv(x)
    }

    /// What is below, twice as large and padded to what it is joined with.
    block Up<const O: usize>(below: f32<N, C, H, W>, beside: f32<N, D, P, Q>) -> f32<N, O, P, Q> {
        let up = Upsample(scale_factor = 2, mode = bilinear, align_corners = true);
        let conv = DoubleConv(O);
        let x = up(below);
        let (dy, dx) = (P - 2 * H, Q - 2 * W);
        let x = x.pad([dx / 2, dx - dx / 2, dy / 2, dy - dy / 2]);
        conv(cat([beside, x], axis = 1))
    }

    pub model BilinearUNet(image: f32<N, 2, H, W>) -> f32<N, 1, H, W> {
        let inc = DoubleConv(3);
        let down1 = Down(4);
        let down2 = Down(4);
        let up1 = Up(3);
        let up2 = Up(3);
        let outc = Conv2d(1, 1);
        let x1 = inc(image);
        let x2 = down1(x1);
        let x3 = down2(x2);
        up2(up1(x3, x2), x1).outc()
    }

    pub step TrainBilinearUNet(image: f32<dyn B, 2, dyn H, dyn W>, mask: u32<B, H, W>) {
        let net = BilinearUNet();
        let logits = net(image).squeeze(1);
        let target = mask.cast(f32);
        let p = logits.sigmoid();
        let dice = (2 * (p * target).sum([1, 2]) + 1.0) / (p.sum([1, 2]) + target.sum([1, 2]) + 1.0);
        let loss = bce_with_logits(logits, target) + (1 - dice).mean();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// An image through few numbers and back.
    pub model Autoencoder(image: f32<N, 1, H, W>) -> f32<N, 1, H, W> {
        let encoder = Seq(Conv2d(3, 3, stride = 2, padding = 1), relu, Conv2d(4, 3, stride = 2, padding = 1), relu);
        let decoder = Seq(
            ConvTranspose2d(3, 3, stride = 2, padding = 1, output_padding = 1), relu,
            ConvTranspose2d(1, 3, stride = 2, padding = 1, output_padding = 1), sigmoid,
        );
        image.encoder().decoder()
    }

    pub step TrainAutoencoder(image: f32<dyn B, 1, dyn H, dyn W>) {
        let net = Autoencoder();
        let loss = mse(net(image), image.sigmoid());
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Means and logarithms of variances, a sample by given noise, and what is made of it.
    pub model Variational(x: f32<N, 12>, noise: f32<N, 3>) -> (f32<N, 12>, f32<N, 3>, f32<N, 3>) {
        let fc1 = Linear(8);
        let (fc21, fc22) = (Linear(3), Linear(3));
        let fc3 = Linear(8);
        let fc4 = Linear(12);
        let h = x.fc1().relu();
        let (mean, log_var) = (h.fc21(), h.fc22());
        let z = mean + noise * exp(0.5 * log_var);
        (z.fc3().relu().fc4().sigmoid(), mean, log_var)
    }

    pub step TrainVariational(x: f32<dyn B, 12>, noise: f32<B, 3>) {
        let net = Variational();
        let target = x.sigmoid();
        let (y, mean, log_var) = net(x, noise);
        let kld = -0.5 * (1 + log_var - mean.pow(2) - log_var.exp()).sum();
        let loss = bce(y, target, reduction = sum) + kld;
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Images three times as large: channels become points.
    pub model Larger(image: f32<N, 1, H, W>) -> f32<N, 1, {3 * H}, {3 * W}> {
        let conv1 = Conv2d(4, 5, padding = 2);
        let conv2 = Conv2d(9, 3, padding = 1);
        let y = image.conv1().tanh().conv2();
        let y = y.reshape([N, 1, 3, 3, H, W]).permute([0, 1, 4, 2, 5, 3]).reshape([N, 1, 3 * H, 3 * W]);
        y + image.interpolate(scale_factor = 3, mode = bilinear)
    }

    pub step TrainLarger(image: f32<dyn B, 1, dyn H, dyn W>, large: f32<B, 1, {3 * H}, {3 * W}>) {
        let net = Larger();
        let loss = l1(net(image), large);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// What is seen at three scales, each added to the next.
    pub model Pyramid(image: f32<N, 2, H, W>) -> (f32<N, 3, H, W>, f32<N, 3, _, _>) {
        let c1 = Conv2d(3, 3, padding = 1);
        let c2 = Conv2d(4, 3, stride = 2, padding = 1);
        let inner = [Conv2d(3, 1), Conv2d(3, 1)];
        let outer = [Conv2d(3, 3, padding = 1), Conv2d(3, 3, padding = 1)];
        let fine = image.c1().relu();
        let coarse = fine.c2().relu();
        let top = inner[1](coarse);
        let below = inner[0](fine) + top.interpolate(size = (H, W), mode = nearest);
        (outer[0](below), outer[1](top))
    }

    pub step TrainPyramid(image: f32<dyn B, 2, dyn H, dyn W>) {
        let net = Pyramid();
        let (fine, coarse) = net(image);
        let loss = fine.pow(2).mean() + coarse.abs().mean();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    pub model Siamese(x: f32<N, 1, 6, 6>) -> f32<N, 4> {
        let conv = Conv2d(3, 3);
        let fc = Linear(4);
        x.conv().relu().max_pool2d(2).flatten(1).fc()
    }

    pub step TrainTriplet(anchor: f32<dyn B, 1, 6, 6>, positive: f32<B, 1, 6, 6>, negative: f32<B, 1, 6, 6>) {
        let net = Siamese();
        let loss = triplet_margin(net(anchor), net(positive), net(negative), margin = 0.7);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    pub step TrainPairs(one: f32<dyn B, 1, 6, 6>, other: f32<B, 1, 6, 6>, same: u32<B>) {
        let net = Siamese();
        let target = 2 * same.cast(f32) - 1;
        let loss = cosine_embedding(net(one), net(other), target, margin = 0.1);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Embeddings of two views, each nearest to its partner among all.
    pub step TrainContrast(one: f32<dyn B, 1, 6, 6>, other: f32<B, 1, 6, 6>) {
        let net = Siamese();
        let (a, b) = (net(one), net(other));
        let a = a / a.pow(2).sum(1, keepdim = true).sqrt();
        let b = b / b.pow(2).sum(1, keepdim = true).sqrt();
        let logits = 5.0 * a.matmul(b.t());
        let label = arange(B);
        let loss = 0.5 * (cross_entropy(logits, label) + cross_entropy(logits.t(), label));
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }
}

networks! {
    bilinear_u_net: TrainBilinearUNet of BilinearUNet, [b = 2, h = 9, w = 10], (&filled(360, 17, 512.0), &ids(180, 29, 2));
    autoencoder: TrainAutoencoder of Autoencoder, [b = 2, h = 8, w = 4], (&filled(64, 17, 512.0));
    variational: TrainVariational of Variational, [b = 3], (&filled(36, 17, 512.0), &filled(9, 29, 512.0));
    larger: TrainLarger of Larger, [b = 2, h = 4, w = 5], (&filled(40, 17, 512.0), &filled(360, 29, 512.0));
    pyramid: TrainPyramid of Pyramid, [b = 2, h = 6, w = 4], (&filled(96, 17, 512.0));
    triplet: TrainTriplet of Siamese, [b = 3], (&filled(108, 17, 512.0), &filled(108, 29, 512.0), &filled(108, 31, 512.0));
    pairs: TrainPairs of Siamese, [b = 4], (&filled(144, 17, 512.0), &filled(144, 29, 512.0), &[0, 1, 1, 0]);
    contrast: TrainContrast of Siamese, [b = 3], (&filled(108, 17, 512.0), &filled(108, 29, 512.0));
}
