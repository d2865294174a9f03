"""The networks that `make.py` records: how each is made, and its loss."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.densenet import _DenseBlock
from torchvision.models.googlenet import Inception
from torchvision.models.shufflenetv2 import InvertedResidual
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation


def formula(shape, step, scale):
    """The numbers that a tensor is filled with, all of them exact."""
    count = torch.Size(shape).numel()
    values = [(i * (step + 7 * i) % 1009 - 504) / scale for i in range(count)]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def filled(*shape, step=17):
    return formula(shape, step, 512)


def ids(*shape, step=17, bound):
    count = torch.Size(shape).numel()
    return torch.tensor([i * (step + 3 * i) % 1009 % bound for i in range(count)]).reshape(shape)


class Net(nn.Module):
    """Layers by name, and what is made of them."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.says = forward

    def forward(self, *inputs):
        return self.says(self, *inputs)


NETWORKS = {}


def network(loss):
    """A network is made by a function of no arguments that returns it; the loss stands beside."""

    def keep(make):
        NETWORKS[make.__name__] = (make, loss)
        return make

    return keep


# Sequences.


@network(lambda net: F.cross_entropy(net(ids(3, 7, bound=30)).transpose(1, 2), ids(3, 7, step=29, bound=4), ignore_index=3))
def bi_tagger():
    return Net(
        lambda n, x: n.head(n.lstm(n.embed(x))[0]),
        embed=nn.Embedding(30, 6, padding_idx=0),
        lstm=nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True),
        head=nn.Linear(10, 4),
    )


@network(lambda net: F.cross_entropy(net(filled(5, 4, 3)), ids(4, step=29, bound=4)))
def gru_classifier():
    def says(n, x):
        y, h = n.gru(x)
        return n.head(torch.cat([y.mean(0), h[-1]], -1))

    return Net(says, gru=nn.GRU(3, 6, 2), head=nn.Linear(12, 4))


@network(lambda net: F.smooth_l1_loss(net(filled(3, 9, 1)), filled(3, 9, step=29), beta=0.5))
def series():
    return Net(
        lambda n, x: n.out(n.rnn(x)[0]).squeeze(-1),
        rnn=nn.RNN(1, 7, nonlinearity="relu", batch_first=True),
        out=nn.Linear(7, 1),
    )


@network(lambda net: F.cross_entropy(net(ids(4, 9, bound=30)), ids(4, step=29, bound=3), label_smoothing=0.1))
def text_cnn():
    def says(n, x):
        x = n.embed(x).transpose(1, 2)
        return n.fc(torch.cat([conv(x).relu().amax(-1) for conv in n.convs], 1))

    convs = nn.ModuleList(nn.Conv1d(5, 4, width) for width in (2, 3, 4))
    return Net(says, embed=nn.Embedding(30, 5), convs=convs, fc=nn.Linear(12, 3))


@network(lambda net: F.cross_entropy(net(filled(2, 1, 12)), ids(2, 12, step=29, bound=8)))
def wave_net():
    def gated(dilation):
        conv = lambda width, dilation=1: nn.Conv1d(4, 4, width, dilation=dilation)
        return Net(
            lambda n, x: x, filter=conv(2, dilation), gate=conv(2, dilation), skip=conv(1), residual=conv(1)
        )

    def says(n, x):
        x, total = n.first(x), 0
        for i, layer in enumerate(n.layers):
            past = F.pad(x, (2**i, 0))
            y = layer.filter(past).tanh() * layer.gate(past).sigmoid()
            total = total + layer.skip(y)
            x = x + layer.residual(y) if i < 2 else x
        return n.end2(n.end1(total.relu()).relu())

    layers = nn.ModuleList(gated(2**i) for i in range(3))
    net = Net(says, first=nn.Conv1d(1, 4, 1), layers=layers, end1=nn.Conv1d(4, 6, 1), end2=nn.Conv1d(6, 8, 1))
    del net.layers[2].residual
    return net


@network(
    lambda net: F.cross_entropy(
        net(ids(3, 6, bound=25), ids(3, 4, step=29, bound=20)).flatten(0, 1), ids(12, step=31, bound=20)
    )
)
def translator():
    def says(n, source, target):
        memory, state = n.encoder(n.source_embed(source))
        y, _ = n.decoder(n.target_embed(target), state)
        scores = torch.einsum("nth,nsh->nts", n.query(y), memory)
        return n.out(n.join(torch.cat([y, scores.softmax(-1) @ memory], 2)).tanh())

    lstm = lambda: nn.LSTM(4, 6, batch_first=True)
    return Net(
        says,
        source_embed=nn.Embedding(25, 4),
        target_embed=nn.Embedding(20, 4),
        encoder=lstm(),
        decoder=lstm(),
        query=nn.Linear(6, 6, bias=False),
        join=nn.Linear(12, 6),
        out=nn.Linear(6, 20),
    )


@network(lambda net: F.nll_loss(net(filled(2, 1, 8, 12)).log_softmax(-1).transpose(1, 2), ids(2, 6, step=29, bound=5)))
def reader():
    def says(n, image):
        y, _ = n.rnn(n.cnn(image).flatten(1, 2).permute(2, 0, 1))
        return n.fc(y).transpose(0, 1)

    cnn = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    return Net(says, cnn=cnn, rnn=nn.GRU(16, 5, bidirectional=True), fc=nn.Linear(10, 5))


# Tokens.


@network(lambda net: F.cross_entropy(net(ids(3, 7, bound=9)), ids(3, step=29, bound=3)))
def encoder():
    def says(n, x):
        padding = x == 0
        y = n.embed(x) + n.pos(torch.arange(x.shape[1]))
        for layer in n.layers:
            y = layer(y, src_key_padding_mask=padding)
        there = (~padding).double().unsqueeze(-1)
        return n.head((n.norm(y) * there).sum(1) / there.sum(1))

    layer = lambda: nn.TransformerEncoderLayer(8, 2, 12, 0.0, activation="gelu", batch_first=True)
    return Net(
        says,
        embed=nn.Embedding(20, 8, padding_idx=0),
        pos=nn.Embedding(10, 8),
        layers=nn.ModuleList([layer(), layer()]),
        norm=nn.LayerNorm(8),
        head=nn.Linear(8, 3),
    )


class Turned(nn.Module):
    """A linear layer whose weight lies the other way round."""

    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(i, o))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x):
        return x @ self.weight + self.bias


@network(lambda net: F.cross_entropy(net(ids(2, 8, bound=20))[:, :-1].flatten(0, 1), ids(2, 8, bound=20)[:, 1:].flatten()))
def decoder():
    def attn(n, x):
        b, t, d = x.shape
        q, k, v = n.c_attn(x).reshape(b, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4)
        return n.c_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d))

    def layer():
        mlp = Net(lambda n, x: n.c_proj(F.gelu(n.c_fc(x), approximate="tanh")), c_fc=Turned(8, 32), c_proj=Turned(32, 8))
        return Net(
            lambda n, x: (x := x + n.attn(n.ln_1(x))) + n.mlp(n.ln_2(x)),
            ln_1=nn.LayerNorm(8),
            attn=Net(attn, c_attn=Turned(8, 24), c_proj=Turned(8, 8)),
            ln_2=nn.LayerNorm(8),
            mlp=mlp,
        )

    def says(n, x):
        y = n.wte(x) + n.wpe.weight[: x.shape[1]]
        for layer in n.h:
            y = layer(y)
        return n.ln_f(y) @ n.wte.weight.T

    layers = nn.ModuleList([layer(), layer()])
    return Net(says, wte=nn.Embedding(20, 8), wpe=nn.Embedding(10, 8), h=layers, ln_f=nn.LayerNorm(8))


@network(
    lambda net: F.cross_entropy(
        net(ids(3, 6, bound=8), ids(3, 5, step=29, bound=15)).transpose(1, 2),
        ids(3, 5, step=31, bound=6),
        ignore_index=0,
    )
)
def seq_to_seq():
    def says(n, source, target):
        padding = source == 0
        memory = n.encoder(n.embed(source), src_key_padding_mask=padding)
        later = torch.ones(target.shape[1], target.shape[1]).triu(1).bool()
        y = n.decoder(n.embed(target), memory, tgt_mask=later, memory_key_padding_mask=padding)
        return y @ n.embed.weight.T

    how = {"batch_first": True, "norm_first": True}
    return Net(
        says,
        embed=nn.Embedding(15, 8),
        encoder=nn.TransformerEncoderLayer(8, 2, 12, 0.0, **how),
        decoder=nn.TransformerDecoderLayer(8, 2, 12, 0.0, **how),
    )


def mlp(width, hidden):
    return Net(lambda n, x: n.fc2(F.gelu(n.fc1(x))), fc1=nn.Linear(width, hidden), fc2=nn.Linear(hidden, width))


@network(lambda net: F.cross_entropy(net(filled(3, 3, 8, 12)), ids(3, step=29, bound=4)))
def mlp_mixer():
    def mixer(n, x):
        x = x + n.mlp_tokens(n.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + n.mlp_channels(n.norm2(x))

    def block():
        return Net(mixer, norm1=nn.LayerNorm(6), mlp_tokens=mlp(6, 6), norm2=nn.LayerNorm(6), mlp_channels=mlp(6, 24))

    def says(n, image):
        x = n.stem(image).flatten(2).transpose(1, 2)
        for block in n.blocks:
            x = block(x)
        return n.head(n.norm(x).mean(1))

    return Net(
        says,
        stem=nn.Conv2d(3, 6, 4, stride=4),
        blocks=nn.ModuleList([block(), block()]),
        norm=nn.LayerNorm(6),
        head=nn.Linear(6, 4),
    )


class Windows(nn.Module):
    """Attention inside windows that lie half a window further, with a learned bias for every distance."""

    def __init__(self, width, window, heads):
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.window, self.heads = window, heads

    def forward(self, x):
        n, h, w, c = x.shape
        size, half = self.window, self.window // 2
        x = x.roll((half, half), (1, 2))
        x = x.reshape(n, h // size, size, w // size, size, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, size * size, c)
        q, k, v = self.qkv(x).reshape(-1, size * size, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        at = torch.arange(size * size)
        rows, columns = (part[:, None] - part[None] + size - 1 for part in (at // size, at % size))
        bias = self.table[rows * (2 * size - 1) + columns].permute(2, 0, 1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        y = self.proj(y.transpose(1, 2).flatten(2))
        y = y.reshape(n, h // size, w // size, size, size, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        return y.roll((-half, -half), (1, 2))


@network(lambda net: F.cross_entropy(net(filled(2, 3, 8, 16)), ids(2, step=29, bound=3)))
def swin():
    def says(n, image):
        x = n.patch(image).permute(0, 2, 3, 1)
        x = x + n.attn(n.norm1(x))
        x = x + n.mlp(n.norm2(x))
        b, h, w, c = x.shape
        merged = x.reshape(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).flatten(3)
        return n.head(n.reduction(merged).mean([1, 2]))

    return Net(
        says,
        patch=nn.Conv2d(3, 4, 2, stride=2),
        norm1=nn.LayerNorm(4),
        attn=Windows(4, 2, 2),
        norm2=nn.LayerNorm(4),
        mlp=mlp(4, 8),
        reduction=nn.Linear(16, 8, bias=False),
        head=nn.Linear(8, 3),
    )


# Images.


@network(lambda net: F.cross_entropy(net(filled(3, 4, 6, 5)), ids(3, step=29, bound=3)))
def shuffle_net():
    return Net(
        lambda n, x: n.fc(n.second(n.first(x)).mean([2, 3])),
        first=InvertedResidual(4, 8, 2),
        second=InvertedResidual(8, 8, 1),
        fc=nn.Linear(8, 3),
    )


@network(lambda net: F.cross_entropy(net(filled(3, 3, 6, 8)), ids(3, step=29, bound=3)))
def efficient_net():
    def conv(i, o, size, activation=nn.SiLU, **how):
        return Conv2dNormActivation(i, o, size, activation_layer=activation, inplace=None, **how)

    def inverted(i, o, times, stride):
        wide = i * times
        layers = [conv(i, wide, 1), conv(wide, wide, 3, stride=stride, groups=wide)]
        layers += [SqueezeExcitation(wide, 2, activation=nn.SiLU), conv(wide, o, 1, None)]
        says = lambda n, x: x + n.block(x) if stride == 1 and i == o else n.block(x)
        return Net(says, block=nn.Sequential(*layers))

    features = nn.Sequential(inverted(3, 4, 2, 2), inverted(4, 4, 3, 1))
    return Net(lambda n, x: n.fc(n.features(x).mean([2, 3])), features=features, fc=nn.Linear(4, 3))


@network(lambda net: F.cross_entropy(net(filled(2, 3, 5, 6)), ids(2, step=29, bound=3)))
def google_net():
    def says(n, x):
        return n.fc(F.avg_pool2d(n.inception(x), 3, 2, 1, count_include_pad=False).amax([2, 3]))

    return Net(says, inception=Inception(3, 2, 3, 4, 2, 3, 2), fc=nn.Linear(11, 3))


@network(lambda net: F.cross_entropy(net(filled(2, 4, 4, 6)), ids(2, step=29, bound=3)))
def dense_net():
    def says(n, x):
        return n.classifier(F.avg_pool2d(n.conv(n.norm(n.block(x)).relu()), 2).mean([2, 3]))

    return Net(
        says,
        block=_DenseBlock(3, 4, 2, 2, 0.0),
        norm=nn.BatchNorm2d(10),
        conv=nn.Conv2d(10, 5, 1, bias=False),
        classifier=nn.Linear(5, 3),
    )


@network(lambda net: F.cross_entropy(net(filled(3, 3, 9, 8)), ids(3, step=29, bound=3)))
def separable():
    def pair(i, o, stride):
        alone = nn.Conv2d(i, i, 3, stride, 1, groups=i, bias=False)
        return [alone, nn.BatchNorm2d(i), nn.ReLU6(), nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU6()]

    pairs = [pair(3, 4, 2), pair(4, 6, 1), pair(6, 8, 2)]
    model = nn.Sequential(*(nn.Sequential(*layers) for layers in pairs))
    return Net(lambda n, x: n.fc(n.model(x).mean([2, 3])), model=model, fc=nn.Linear(8, 3))


@network(lambda net: F.cross_entropy(net(filled(2, 6, 5, 4)), ids(2, step=29, bound=3)))
def attentive():
    def says(n, x):
        channels = (n.mlp(x.mean([2, 3])) + n.mlp(x.amax([2, 3]))).sigmoid()
        x = x * channels[..., None, None]
        points = n.spatial(torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)).sigmoid()
        return n.fc((x * points).mean([2, 3]))

    mlp = nn.Sequential(nn.Linear(6, 2, bias=False), nn.ReLU(), nn.Linear(2, 6, bias=False))
    return Net(says, mlp=mlp, spatial=nn.Conv2d(2, 1, 7, padding=3, bias=False), fc=nn.Linear(6, 3))


# Pictures.


def dice_loss(net):
    logits, target = net(filled(2, 2, 9, 10)).squeeze(1), ids(2, 9, 10, step=29, bound=2).double()
    p = logits.sigmoid()
    dice = (2 * (p * target).sum([1, 2]) + 1) / (p.sum([1, 2]) + target.sum([1, 2]) + 1)
    return F.binary_cross_entropy_with_logits(logits, target) + (1 - dice).mean()


@network(dice_loss)
def bilinear_u_net():
    def double(i, o):
        layers = [[nn.Conv2d(c, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()] for c in (i, o)]
        return Net(lambda n, x: n.double_conv(x), double_conv=nn.Sequential(*sum(layers, [])))

    def down(i, o):
        return Net(lambda n, x: n.maxpool_conv(x), maxpool_conv=nn.Sequential(nn.MaxPool2d(2), double(i, o)))

    def rise(n, below, beside):
        x = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=True)
        dy, dx = beside.shape[2] - x.shape[2], beside.shape[3] - x.shape[3]
        return n.conv(torch.cat([beside, F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])], 1))

    def says(n, image):
        x1 = n.inc(image)
        x2 = n.down1(x1)
        return n.outc(n.up2(n.up1(n.down2(x2), x2), x1))

    return Net(
        says,
        inc=double(2, 3),
        down1=down(3, 4),
        down2=down(4, 4),
        up1=Net(rise, conv=double(8, 3)),
        up2=Net(rise, conv=double(6, 3)),
        outc=nn.Conv2d(3, 1, 1),
    )


@network(lambda net: F.mse_loss(net(filled(2, 1, 8, 4)), filled(2, 1, 8, 4).sigmoid()))
def autoencoder():
    encoder = [nn.Conv2d(1, 3, 3, 2, 1), nn.ReLU(), nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU()]
    decoder = [nn.ConvTranspose2d(4, 3, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(3, 1, 3, 2, 1, 1), nn.Sigmoid()]
    return Net(lambda n, x: n.decoder(n.encoder(x)), encoder=nn.Sequential(*encoder), decoder=nn.Sequential(*decoder))


def evidence(net):
    x = filled(3, 12)
    y, mean, log_var = net(x, filled(3, 3, step=29))
    kld = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum()
    return F.binary_cross_entropy(y, x.sigmoid(), reduction="sum") + kld


@network(evidence)
def variational():
    def says(n, x, noise):
        h = n.fc1(x).relu()
        mean, log_var = n.fc21(h), n.fc22(h)
        z = mean + noise * (0.5 * log_var).exp()
        return n.fc4(n.fc3(z).relu()).sigmoid(), mean, log_var

    layers = {"fc1": (12, 8), "fc21": (8, 3), "fc22": (8, 3), "fc3": (3, 8), "fc4": (8, 12)}
    return Net(says, **{name: nn.Linear(*extents) for name, extents in layers.items()})


@network(lambda net: F.l1_loss(net(filled(2, 1, 4, 5)), filled(2, 1, 12, 15, step=29)))
def larger():
    def says(n, x):
        return F.pixel_shuffle(n.conv2(n.conv1(x).tanh()), 3) + F.interpolate(x, scale_factor=3, mode="bilinear")

    return Net(says, conv1=nn.Conv2d(1, 4, 5, padding=2), conv2=nn.Conv2d(4, 9, 3, padding=1))


def both_scales(net):
    fine, coarse = net(filled(2, 2, 6, 4))
    return fine.pow(2).mean() + coarse.abs().mean()


@network(both_scales)
def pyramid():
    def says(n, x):
        fine = n.c1(x).relu()
        top = n.inner[1](n.c2(fine).relu())
        below = n.inner[0](fine) + F.interpolate(top, size=x.shape[2:], mode="nearest")
        return n.outer[0](below), n.outer[1](top)

    return Net(
        says,
        c1=nn.Conv2d(2, 3, 3, padding=1),
        c2=nn.Conv2d(3, 4, 3, 2, 1),
        inner=nn.ModuleList([nn.Conv2d(3, 3, 1), nn.Conv2d(4, 3, 1)]),
        outer=nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(2)),
    )


def siamese():
    return Net(
        lambda n, x: n.fc(F.max_pool2d(n.conv(x).relu(), 2).flatten(1)), conv=nn.Conv2d(1, 3, 3), fc=nn.Linear(12, 4)
    )


def images(net, count, *steps):
    return [net(filled(count, 1, 6, 6, step=step)) for step in steps]


def contrast_loss(net):
    a, b = (F.normalize(x) for x in images(net, 3, 17, 29))
    logits, label = 5 * a @ b.T, torch.arange(3)
    return 0.5 * (F.cross_entropy(logits, label) + F.cross_entropy(logits.T, label))


SAME = torch.tensor([-1, 1, 1, -1])
NETWORKS["triplet"] = (siamese, lambda net: F.triplet_margin_loss(*images(net, 3, 17, 29, 31), margin=0.7))
NETWORKS["pairs"] = (siamese, lambda net: F.cosine_embedding_loss(*images(net, 4, 17, 29), SAME, margin=0.1))
NETWORKS["contrast"] = (siamese, contrast_loss)
