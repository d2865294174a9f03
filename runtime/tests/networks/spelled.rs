//! What networks are made of, spelled in other ways: cells by hand, weights as values, crops, sums of losses.

use crate::{filled, ids, networks};
use tapeless::model;

model! {
    /// Convolutions along time with the norm of their batch, pooled twice.
    pub model TimeConv(x: f32<N, 2, T>) -> f32<N, 3> {
        let conv1 = Conv1d(4, kernel_size = 3, padding = same, bias = false);
        let bn1 = BatchNorm1d();
        let conv2 = Conv1d(6, 3, stride = 2, padding = 1, groups = 2, bias = false);
        let bn2 = BatchNorm1d();
        let fc = Linear(3);
        let x = x.conv1().bn1().leaky_relu(0.1).max_pool1d(2);
        let x = x.conv2().bn2().hardswish();
        fc(cat((x.mean(-1), x.at(2, -1)), axis = 1))
    }

    pub step TrainTimeConv(x: f32<dyn B, 2, dyn T>, label: u32<B>) {
        let net = TimeConv();
        let loss = nll(log_softmax(net(x), 1), label, reduction = sum) / f32(B);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Positions by sines and cosines, one layer applied three times, and a learned query that reads the result.
    pub model Shared<const D: usize = 8>(ids: u32<N, T>) -> f32<N, 3> {
        let embed = Embedding(20, D);
        let layer = TransformerEncoderLayer(D, nhead = 2, dim_feedforward = 12, dropout = 0.0, norm_first = true, batch_first = true);
        let norm = LayerNorm([D]);
        let head = Linear(3);
        #[param]
        let query: f32<D> = normal(0.02);
        let frequency = exp(arange(0, D, 2).cast(f32) * (-log(10000.0) / D));
        let angle = arange(T).cast(f32).unsqueeze(1) * frequency;
        let position = stack([sin(angle), cos(angle)], -1).reshape([T, D]);
        let mut x = sqrt(D) * embed(ids) + position;
        for _ in 0..3 {
            x = x.layer();
        }
        let x = x.norm();
        let weights = softmax(x.matmul(query) / sqrt(D), axis = 1);
        (weights.unsqueeze(-1) * x).sum(1).head()
    }

    pub step TrainShared(ids: u32<dyn B, dyn T>, label: u32<B>) {
        let net = Shared();
        let loss = cross_entropy(net(ids), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// A cell of an LSTM, turn by turn.
    pub model Cells(x: f32<N, 4, 3>) -> f32<N, 2> {
        let ih = Linear(20);
        let hh = Linear(20, bias = false);
        let out = Linear(2);
        let mut h = zeros([N, 5]);
        let mut c = h;
        for t in 0..4 {
            let [i, f, g, o] = (x.at(1, t).ih() + h.hh()).chunk(4, axis = -1);
            c = sigmoid(f) * c + sigmoid(i) * tanh(g);
            h = o.sigmoid() * c.tanh();
        }
        h.out()
    }

    pub step TrainCells(x: f32<dyn B, 4, 3>, y: f32<B, 2>) {
        let net = Cells();
        let loss = huber(net(x), y, delta = 0.7);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Scores of tags and of their transitions; the loss is over all sequences of tags.
    pub model Chain(ids: u32<N, 5>) -> (f32<N, 5, 3>, f32<3, 3>) {
        let embed = Embedding(12, 4);
        let rnn = Gru(3, batch_first = true, bidirectional = true);
        let fc = Linear(3);
        #[param]
        let transitions: f32<3, 3> = zeros();
        let (y, _) = ids.embed().rnn();
        (y.fc(), transitions)
    }

    pub step TrainChain(ids: u32<dyn B, 5>, tags: u32<B, 5>) {
        let net = Chain();
        let (scores, transitions) = net(ids);
        let mut all = scores.at(1, 0);
        let mut path = scores.at(1, 0).gather(1, tags.at(1, 0).unsqueeze(1)).squeeze(1);
        for t in 1..5 {
            all = logsumexp(all.unsqueeze(2) + transitions, 1) + scores.at(1, t);
            let (from, to) = (tags.at(1, t - 1), tags.at(1, t));
            let step = transitions.flatten().index_select(0, 3 * from + to);
            path = path + step + (scores.at(1, t) * one_hot(to, 3).cast(f32)).sum(1);
        }
        let loss = (all.logsumexp(1) - path).mean();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// How much of each channel passes, by linear layers.
    block Squeeze<const R: usize = 2>(x: f32<N, C, H, W>) -> f32<N, C, H, W> {
        let pool = AdaptiveAvgPool2d(1);
        let fc = Seq(Flatten(), Linear(C / R, bias = false), Relu(), Linear(C, bias = false), Sigmoid());
        let y = fc(pool(x)).reshape([N, C, 1, 1]);
        x * y.expand([N, C, H, W])
    }

    block Residual<const O: usize, const STRIDE: usize = 1>(x: f32<N, I, H, W>) -> f32<N, O, _, _> {
        let residual = Seq(
            Conv2d(O, (3, 1), stride = STRIDE, padding = (1, 0), bias = false), GroupNorm(2), Gelu(),
            Conv2d(O, (1, 3), padding = (0, 1)), InstanceNorm2d(affine = true),
            if O > 4 { Squeeze() },
        );
        let shortcut = Seq(if STRIDE != 1 || I != O { Conv2d(O, 1, stride = STRIDE) });
        relu(residual(x) + shortcut(x))
    }

    pub model SeNet(image: f32<N, 3, H, W>) -> f32<N, 3> {
        let layers = Seq(Residual(4), Residual(6, STRIDE = 2), Residual(6));
        let fc = Linear(3);
        image.layers().mean([-2, -1]).fc()
    }

    pub step TrainSeNet(image: f32<dyn B, 3, dyn H, dyn W>, label: u32<B>) {
        let net = SeNet();
        let loss = cross_entropy(net(image), label, reduction = none).pow(2).mean();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Convolutions without borders: what is joined is cut to what comes from below.
    pub model CropUNet(image: f32<N, 1, H, W>) -> f32<N, 2, _, _> {
        let enc1 = Seq(Conv2d(3, 3), relu);
        let enc2 = Seq(Conv2d(4, 3), relu);
        let up = Seq(Upsample(scale_factor = 2), Conv2d(3, 1));
        let dec = Conv2d(2, 3);
        let x1 = image.enc1();
        let x2 = x1.max_pool2d(2, ceil_mode = true).enc2().up();
        let cut = x1.slice(2, 2..(H - 1) / 2 * 2 - 2).slice(3, 2..(W - 1) / 2 * 2 - 2);
        dec(cat([cut, x2], 1))
    }

    pub step TrainCropUNet(image: f32<dyn B, 1, dyn H, dyn W>) {
        let net = CropUNet();
        let y = net(image);
        let loss = y.softmax(1).at(1, 0).clamp(0.3, 0.9).sum() + 0.1 * y.abs().mean();
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Words for an image: what is seen begins the state of a decoder that adds up what it looks at.
    pub model Captions(image: f32<N, 1, 6, 6>, ids: u32<N, T>) -> f32<N, T, 15> {
        let cnn = Seq(Conv2d(4, 3, stride = 2), Elu(), Flatten(2));
        let begin = [Linear(5), Linear(5)];
        let embed = Embedding(15, 4);
        let decoder = Lstm(5, batch_first = true, num_layers = 1);
        let key = Linear(6, bias = false);
        let query = Linear(6);
        let energy = Linear(1, bias = false);
        let head = Linear(15);
        let seen = cnn(image).transpose(1, 2);
        let mean = seen.mean(1);
        let state = (begin[0](mean).tanh().unsqueeze(0), begin[1](mean).unsqueeze(0));
        let (y, (_, _)) = decoder(embed(ids), state);
        let scores = (y.query().unsqueeze(2) + seen.key().unsqueeze(1)).tanh().energy().squeeze(-1);
        let context = einsum("nts,nsd->ntd", scores.softmax(2), seen);
        cat([y, context], -1).head()
    }

    pub step TrainCaptions(image: f32<dyn B, 1, 6, 6>, ids: u32<B, dyn T>) {
        let net = Captions();
        let logits = net(image, ids.slice(1, ..T - 1));
        let loss = cross_entropy(logits.permute([0, 2, 1]), ids.slice(1, 1..), ignore_index = 0);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    pub model Backbone(image: f32<N, 3, H, W>) -> f32<N, 4, _, _> {
        let conv = Conv2d(8, 3, stride = 2, padding = 1);
        let x = conv(image);
        // Of each pair of channels, the larger.
        x.reshape([N, 4, 2, (H + 1) / 2, (W + 1) / 2]).amax(2)
    }

    /// Boxes and classes of every place, from a network inside.
    pub model Detector(image: f32<N, 3, H, W>) -> (f32<N, _, 4>, f32<N, _, 2>) {
        let backbone = Backbone();
        let boxes = Conv2d(8, 3, padding = 1);
        let classes = Conv2d(4, 3, padding = 1);
        #[param]
        let scale: f32 = ones();
        let x = backbone(image);
        let found = scale * boxes(x).permute([0, 2, 3, 1]).flatten(1);
        (found.reshape([N, -1, 4]), x.classes().permute([0, 2, 3, 1]).reshape([N, -1, 2]))
    }

    pub step TrainDetector(image: f32<dyn B, 3, 5, 4>, target: f32<B, 12, 4>, class: u32<B, 12>) {
        let net = Detector();
        let (boxes, classes) = net(image);
        let there = class.ne(0).cast(f32);
        let found = (smooth_l1(boxes, target, reduction = none).sum(-1) * there).sum() / there.sum();
        let p = classes.sigmoid();
        let truth = one_hot(class, 2).cast(f32);
        let right = select(truth.gt(0.5), p, 1 - p);
        let focal = -((1 - right).pow(2) * right.log()).mean();
        let loss = found + 2 * focal;
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss, found, focal);
    }

    /// Weights as a direction and a length, and a way around that lets pass what it closes.
    pub model Highway(x: f32<N, 3, T>) -> f32<N, 4> {
        #[param]
        let v: f32<6, 3, 3> = kaiming_normal();
        #[param]
        let g: f32<6, 1, 1> = ones();
        let transform = Linear(6);
        let gate = Linear(6);
        let out = Linear(4);
        let weight = g * v / v.pow(2).sum([1, 2], keepdim = true).sqrt();
        let y = conv1d(x.pad([2, 0]), weight, stride = 1).transpose(1, 2);
        let t = y.gate().sigmoid();
        let y = t * y.transform().relu() + (1.0 - t) * y;
        let spread = y.var(1);
        (y.flip(1).cumsum(1).mean(1) + spread).out()
    }

    pub step TrainHighway(x: f32<dyn B, 3, dyn T>, y: f32<B, 4>) {
        let net = Highway();
        let loss = kl_div(log_softmax(net(x), -1), y.softmax(-1), reduction = sum) / f32(B);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }
}

networks! {
    time_conv: TrainTimeConv of TimeConv, [b = 3, t = 11], (&filled(66, 17, 512.0), &ids(3, 29, 3));
    shared: TrainShared of Shared, [b = 2, t = 6], (&ids(12, 17, 20), &ids(2, 29, 3));
    cells: TrainCells of Cells, [b = 3], (&filled(36, 17, 512.0), &filled(6, 29, 512.0));
    chain: TrainChain of Chain, [b = 3], (&ids(15, 17, 12), &ids(15, 29, 3));
    se_net: TrainSeNet of SeNet, [b = 2, h = 6, w = 7], (&filled(252, 17, 512.0), &ids(2, 29, 3));
    crop_u_net: TrainCropUNet of CropUNet, [b = 2, h = 16, w = 15], (&filled(480, 17, 512.0));
    captions: TrainCaptions of Captions, [b = 2, t = 6], (&filled(72, 17, 512.0), &ids(12, 29, 15));
    detector: TrainDetector of Detector, [b = 2], (&filled(120, 17, 512.0), &filled(96, 29, 512.0), &ids(24, 31, 2));
    highway: TrainHighway of Highway, [b = 2, t = 7], (&filled(42, 17, 512.0), &filled(8, 29, 512.0));
}
