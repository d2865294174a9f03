//! Recurrent networks and convolutions along time.

use crate::{filled, ids, networks};
use tapeless::model;

model! {
    /// Tags of tokens, from what stands on both sides.
    pub model BiTagger(ids: u32<N, T>) -> f32<N, T, 4> {
        let embed = Embedding(30, 6, padding_idx = 0);
        let lstm = Lstm(5, num_layers = 2, batch_first = true, bidirectional = true);
        let head = Linear(4);
        let (y, _) = ids.embed().lstm();
        y.head()
    }

    pub step TrainBiTagger(ids: u32<dyn B, dyn T>, tag: u32<B, T>) {
        let net = BiTagger();
        let loss = cross_entropy(net(ids).transpose(1, 2), tag, ignore_index = 3);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Classes of sequences, time first, from the mean of the outputs and the last hidden numbers.
    pub model GruClassifier(x: f32<T, N, 3>) -> f32<N, 4> {
        let gru = Gru(6, num_layers = 2);
        let head = Linear(4);
        let (y, h) = x.gru();
        cat([y.mean(0), h.at(0, -1)], -1).head()
    }

    pub step TrainGru(x: f32<dyn T, dyn B, 3>, label: u32<B>) {
        let net = GruClassifier();
        let loss = cross_entropy(net(x), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// The next number of a series, from an Elman network with rectified units.
    pub model Series(x: f32<N, T, 1>) -> f32<N, T> {
        let rnn = Rnn(7, nonlinearity = relu, batch_first = true);
        let out = Linear(1);
        let (y, _) = rnn(x);
        y.out().squeeze(-1)
    }

    pub step TrainSeries(x: f32<dyn B, dyn T, 1>, y: f32<B, T>) {
        let net = Series();
        let loss = smooth_l1(net(x), y, beta = 0.5);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Convolutions of several widths over words, and the largest of each along time.
    pub model TextCnn(ids: u32<N, T>) -> f32<N, 3> {
        let embed = Embedding(30, 5);
        let mut found = [];
        for (i, width) in [2, 3, 4].enumerate() {
            #[name("convs.{i}")]
            let conv = Conv1d(4, width);
            found.push(embed(ids).transpose(1, 2).conv().relu().amax(-1));
        }
        let fc = Linear(3);
        cat(found, 1).fc()
    }

    pub step TrainTextCnn(ids: u32<dyn B, dyn T>, label: u32<B>) {
        let net = TextCnn();
        let loss = cross_entropy(net(ids), label, label_smoothing = 0.1);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Two convolutions that see the past only, one of which opens the other. Nothing reads what the last layer would go on with.
    block Gated<const C: usize, const DILATION: usize, const LAST: bool>(x: f32<N, C, T>) -> (f32<N, C, T>, f32<N, C, T>) {
        let filter = Conv1d(C, 2, dilation = DILATION);
        let gate = Conv1d(C, 2, dilation = DILATION);
        let skip = Conv1d(C, 1);
        let past = x.pad([DILATION, 0]);
        let y = past.filter().tanh() * past.gate().sigmoid();
        let x = if LAST {
            x
        } else {
            let residual = Conv1d(C, 1);
            x + y.residual()
        };
        (x, y.skip())
    }

    pub model WaveNet<const C: usize = 4, const LAYERS: usize = 3>(x: f32<N, 1, T>) -> f32<N, 8, T> {
        let first = Conv1d(C, 1);
        let mut x = x.first();
        let mut sum = zeros_like(x);
        for i in 0..LAYERS {
            #[name("layers.{i}")]
            let layer = Gated(C, 1 << i, LAST = i + 1 == LAYERS);
            let (y, skip) = layer(x);
            x = y;
            sum = sum + skip;
        }
        let end1 = Conv1d(6, 1);
        let end2 = Conv1d(8, 1);
        sum.relu().end1().relu().end2()
    }

    pub step TrainWaveNet(x: f32<dyn B, 1, dyn T>, next: u32<B, T>) {
        let net = WaveNet();
        let loss = cross_entropy(net(x), next);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// An encoder whose last state begins the decoder, which attends to every output of the encoder.
    pub model Translator(source: u32<N, S>, target: u32<N, T>) -> f32<N, T, 20> {
        let source_embed = Embedding(25, 4);
        let target_embed = Embedding(20, 4);
        let encoder = Lstm(6, batch_first = true);
        let decoder = Lstm(6, batch_first = true);
        let query = Linear(6, bias = false);
        let join = Linear(6);
        let out = Linear(20);
        let (memory, state) = source.source_embed().encoder();
        let (y, _) = decoder(target_embed(target), state);
        let scores = einsum("nth,nsh->nts", y.query(), memory);
        let context = scores.softmax(-1).matmul(memory);
        cat([y, context], 2).join().tanh().out()
    }

    pub step TrainTranslator(source: u32<dyn B, dyn S>, target: u32<B, dyn T>, next: u32<B, T>) {
        let net = Translator();
        let loss = cross_entropy(net(source, target).flatten(0, 1), next.flatten());
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Images read as sequences of columns.
    pub model Reader(image: f32<N, 1, 8, W>) -> f32<N, {W / 2}, 5> {
        let cnn = Seq(Conv2d(4, 3, padding = 1), BatchNorm2d(), Relu(), MaxPool2d(2));
        let rnn = Gru(5, bidirectional = true);
        let fc = Linear(5);
        let x = cnn(image).flatten(1, 2).permute([2, 0, 1]);
        let (y, _) = rnn(x);
        y.fc().transpose(0, 1)
    }

    pub step TrainReader(image: f32<dyn B, 1, 8, dyn W>, letter: u32<B, {W / 2}>) {
        let net = Reader();
        let loss = nll(net(image).log_softmax(-1).transpose(1, 2), letter);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }
}

networks! {
    bi_tagger: TrainBiTagger of BiTagger, [b = 3, t = 7], (&ids(21, 17, 30), &ids(21, 29, 4));
    gru_classifier: TrainGru of GruClassifier, [t = 5, b = 4], (&filled(60, 17, 512.0), &ids(4, 29, 4));
    series: TrainSeries of Series, [b = 3, t = 9], (&filled(27, 17, 512.0), &filled(27, 29, 512.0));
    text_cnn: TrainTextCnn of TextCnn, [b = 4, t = 9], (&ids(36, 17, 30), &ids(4, 29, 3));
    wave_net: TrainWaveNet of WaveNet, [b = 2, t = 12], (&filled(24, 17, 512.0), &ids(24, 29, 8));
    translator: TrainTranslator of Translator, [b = 3, s = 6, t = 4], (&ids(18, 17, 25), &ids(12, 29, 20), &ids(12, 31, 20));
    reader: TrainReader of Reader, [b = 2, w = 12], (&filled(192, 17, 512.0), &ids(12, 29, 5));
}
