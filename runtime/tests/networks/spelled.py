"""The networks of `spelled.rs` that `make.py` records."""

import math

import torch
import torch.nn.functional as F
from networks import Net, filled, ids, network
from torch import nn


@network(lambda net: F.nll_loss(net(filled(3, 2, 11)).log_softmax(1), ids(3, step=29, bound=3), reduction="sum") / 3)
def time_conv():
    def says(n, x):
        x = F.max_pool1d(F.leaky_relu(n.bn1(n.conv1(x)), 0.1), 2)
        x = F.hardswish(n.bn2(n.conv2(x)))
        return n.fc(torch.cat([x.mean(-1), x[:, :, -1]], 1))

    return Net(
        says,
        conv1=nn.Conv1d(2, 4, 3, padding="same", bias=False),
        bn1=nn.BatchNorm1d(4),
        conv2=nn.Conv1d(4, 6, 3, 2, 1, groups=2, bias=False),
        bn2=nn.BatchNorm1d(6),
        fc=nn.Linear(12, 3),
    )


@network(lambda net: F.cross_entropy(net(ids(2, 6, bound=20)), ids(2, step=29, bound=3)))
def shared():
    def says(n, x):
        t = x.shape[1]
        frequency = torch.exp(torch.arange(0, 8, 2).double() * (-math.log(10000.0) / 8))
        angle = torch.arange(t).double()[:, None] * frequency
        y = math.sqrt(8) * n.embed(x) + torch.stack([angle.sin(), angle.cos()], -1).reshape(t, 8)
        for _ in range(3):
            y = n.layer(y)
        y = n.norm(y)
        return n.head(((y @ n.query / math.sqrt(8)).softmax(1)[..., None] * y).sum(1))

    layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, norm_first=True, batch_first=True)
    net = Net(says, embed=nn.Embedding(20, 8), layer=layer, norm=nn.LayerNorm(8), head=nn.Linear(8, 3))
    net.query = nn.Parameter(torch.zeros(8))
    return net


@network(lambda net: F.huber_loss(net(filled(3, 4, 3)), filled(3, 2, step=29), delta=0.7))
def cells():
    def says(n, x):
        h = c = torch.zeros(len(x), 5).double()
        for t in range(4):
            i, f, g, o = (n.ih(x[:, t]) + n.hh(h)).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return n.out(h)

    return Net(says, ih=nn.Linear(3, 20), hh=nn.Linear(5, 20, bias=False), out=nn.Linear(5, 2))


def chain_loss(net):
    scores, tags = net(ids(3, 5, bound=12)), ids(3, 5, step=29, bound=3)
    total, path = scores[:, 0], scores[:, 0].gather(1, tags[:, :1]).squeeze(1)
    for t in range(1, 5):
        total = torch.logsumexp(total[:, :, None] + net.transitions, 1) + scores[:, t]
        path = path + net.transitions[tags[:, t - 1], tags[:, t]] + scores[:, t].gather(1, tags[:, t : t + 1]).squeeze(1)
    return (total.logsumexp(1) - path).mean()


@network(chain_loss)
def chain():
    rnn = nn.GRU(4, 3, batch_first=True, bidirectional=True)
    net = Net(lambda n, x: n.fc(n.rnn(n.embed(x))[0]), embed=nn.Embedding(12, 4), rnn=rnn, fc=nn.Linear(6, 3))
    net.transitions = nn.Parameter(torch.zeros(3, 3))
    return net


@network(lambda net: F.cross_entropy(net(filled(2, 3, 6, 7)), ids(2, step=29, bound=3), reduction="none").pow(2).mean())
def se_net():
    def squeeze(c):
        layers = [nn.Flatten(), nn.Linear(c, c // 2, bias=False), nn.ReLU(), nn.Linear(c // 2, c, bias=False), nn.Sigmoid()]
        return Net(
            lambda n, x: x * n.fc(F.adaptive_avg_pool2d(x, 1)).reshape(len(x), c, 1, 1), fc=nn.Sequential(*layers)
        )

    def residual(i, o, stride=1):
        layers = [nn.Conv2d(i, o, (3, 1), stride, (1, 0), bias=False), nn.GroupNorm(2, o), nn.GELU()]
        layers += [nn.Conv2d(o, o, (1, 3), padding=(0, 1)), nn.InstanceNorm2d(o, affine=True)]
        layers += [squeeze(o)] if o > 4 else []
        shortcut = [nn.Conv2d(i, o, 1, stride)] if stride != 1 or i != o else []
        return Net(
            lambda n, x: (n.residual(x) + n.shortcut(x)).relu(),
            residual=nn.Sequential(*layers),
            shortcut=nn.Sequential(*shortcut),
        )

    layers = nn.Sequential(residual(3, 4), residual(4, 6, 2), residual(6, 6))
    return Net(lambda n, x: n.fc(n.layers(x).mean([-2, -1])), layers=layers, fc=nn.Linear(6, 3))


def crop_loss(net):
    y = net(filled(2, 1, 16, 15))
    return y.softmax(1)[:, 0].clamp(0.3, 0.9).sum() + 0.1 * y.abs().mean()


@network(crop_loss)
def crop_u_net():
    def says(n, x):
        x1 = n.enc1(x)
        x2 = n.up(n.enc2(F.max_pool2d(x1, 2, ceil_mode=True)))
        cut = x1[:, :, 2 : 2 + x2.shape[2], 2 : 2 + x2.shape[3]]
        return n.dec(torch.cat([cut, x2], 1))

    return Net(
        says,
        enc1=nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU()),
        enc2=nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()),
        up=nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 1)),
        dec=nn.Conv2d(6, 2, 3),
    )


def caption_loss(net):
    words = ids(2, 6, step=29, bound=15)
    logits = net(filled(2, 1, 6, 6), words[:, :-1])
    return F.cross_entropy(logits.permute(0, 2, 1), words[:, 1:], ignore_index=0)


@network(caption_loss)
def captions():
    def says(n, image, words):
        seen = n.cnn(image).transpose(1, 2)
        mean = seen.mean(1)
        y, _ = n.decoder(n.embed(words), (n.begin[0](mean).tanh()[None], n.begin[1](mean)[None]))
        scores = n.energy((n.query(y)[:, :, None] + n.key(seen)[:, None]).tanh()).squeeze(-1)
        return n.head(torch.cat([y, scores.softmax(2) @ seen], -1))

    return Net(
        says,
        cnn=nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ELU(), nn.Flatten(2)),
        begin=nn.ModuleList([nn.Linear(4, 5), nn.Linear(4, 5)]),
        embed=nn.Embedding(15, 4),
        decoder=nn.LSTM(4, 5, batch_first=True),
        key=nn.Linear(4, 6, bias=False),
        query=nn.Linear(5, 6),
        energy=nn.Linear(6, 1, bias=False),
        head=nn.Linear(9, 15),
    )


def detector_loss(net):
    boxes, classes = net(filled(2, 3, 5, 4))
    target, kind = filled(2, 12, 4, step=29), ids(2, 12, step=31, bound=2)
    there = (kind != 0).double()
    found = (F.smooth_l1_loss(boxes, target, reduction="none").sum(-1) * there).sum() / there.sum()
    p = classes.sigmoid()
    right = torch.where(F.one_hot(kind, 2) > 0.5, p, 1 - p)
    return found - 2 * ((1 - right) ** 2 * right.log()).mean()


@network(detector_loss)
def detector():
    def says(n, image):
        x = n.backbone.conv(image)
        x = x.reshape(len(x), 4, 2, *x.shape[2:]).amax(2)
        boxes = n.scale * n.boxes(x).permute(0, 2, 3, 1)
        return boxes.reshape(len(x), -1, 4), n.classes(x).permute(0, 2, 3, 1).reshape(len(x), -1, 2)

    conv = nn.Conv2d(3, 8, 3, 2, 1)
    boxes, classes = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
    net = Net(says, backbone=Net(None, conv=conv), boxes=boxes, classes=classes)
    net.scale = nn.Parameter(torch.ones(()))
    return net


@network(
    lambda net: F.kl_div(net(filled(2, 3, 7)).log_softmax(-1), filled(2, 4, step=29).softmax(-1), reduction="sum") / 2
)
def highway():
    def says(n, x):
        weight = n.g * n.v / n.v.pow(2).sum([1, 2], keepdim=True).sqrt()
        y = F.conv1d(F.pad(x, (2, 0)), weight).transpose(1, 2)
        t = n.gate(y).sigmoid()
        y = t * n.transform(y).relu() + (1 - t) * y
        return n.out(y.flip(1).cumsum(1).mean(1) + y.var(1))

    net = Net(says, transform=nn.Linear(6, 6), gate=nn.Linear(6, 6), out=nn.Linear(6, 4))
    net.v, net.g = nn.Parameter(torch.zeros(6, 3, 3)), nn.Parameter(torch.zeros(6, 1, 1))
    return net
