"""The networks of the library that `make.py` records."""

from functools import partial

import torch
import torch.nn.functional as F
from networks import Net, filled, ids, network
from torch import nn
from torchvision.models import VisionTransformer
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

EPS = 1e-5


def angles(places, width, theta, first=0):
    frequencies = theta ** (-torch.arange(0, width, 2).double() / width)
    return torch.outer(torch.arange(first, first + places).double(), frequencies)


def half_split(x, theta=10000.0, first=0):
    """As Hugging Face's transformers turn queries and keys."""
    angle = angles(x.shape[-2], x.shape[-1], theta, first)
    cosine, sine = (torch.cat([part, part], -1) for part in (angle.cos(), angle.sin()))
    a, b = x.chunk(2, -1)
    return x * cosine + torch.cat([-b, a], -1) * sine


def interleaved(x, theta=10000.0):
    """As Meta's code turns them: as complex numbers."""
    angle = angles(x.shape[-2], x.shape[-1], theta)
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)


def llama_net(vocab, layers, heads, kv, width, hidden, turn, tied=False):
    linear = partial(nn.Linear, bias=False)
    size = width // heads

    def attention(n, x):
        b, t, d = x.shape
        q, k, v = (
            proj(x).reshape(b, t, -1, size).transpose(1, 2) for proj in (n.q_proj, n.k_proj, n.v_proj)
        )
        k, v = (part.repeat_interleave(heads // kv, 1) for part in (turn(k), v))
        y = F.scaled_dot_product_attention(turn(q), k, v, is_causal=True)
        return n.o_proj(y.transpose(1, 2).reshape(b, t, d))

    def layer():
        return Net(
            lambda n, x: (x := x + n.self_attn(n.input_layernorm(x))) + n.mlp(n.post_attention_layernorm(x)),
            self_attn=Net(
                attention,
                q_proj=linear(width, width),
                k_proj=linear(width, kv * size),
                v_proj=linear(width, kv * size),
                o_proj=linear(width, width),
            ),
            mlp=Net(
                lambda n, x: n.down_proj(F.silu(n.gate_proj(x)) * n.up_proj(x)),
                gate_proj=linear(width, hidden),
                up_proj=linear(width, hidden),
                down_proj=linear(hidden, width),
            ),
            input_layernorm=nn.RMSNorm(width, EPS),
            post_attention_layernorm=nn.RMSNorm(width, EPS),
        )

    def says(n, x):
        y = n.embed_tokens(x)
        for layer in n.layers:
            y = layer(y)
        return n.norm(y)

    model = Net(
        says,
        embed_tokens=nn.Embedding(vocab, width),
        layers=nn.ModuleList(layer() for _ in range(layers)),
        norm=nn.RMSNorm(width, EPS),
    )
    if tied:
        return Net(lambda n, x: n.model(x) @ n.model.embed_tokens.weight.T, model=model)
    return Net(lambda n, x: n.lm_head(n.model(x)), model=model, lm_head=linear(width, vocab))


def next_loss(net, *shape):
    logits = net(ids(*shape, bound=20))
    return F.cross_entropy(logits.flatten(0, 1), ids(*shape, step=29, bound=20).flatten())


@network(lambda net: next_loss(net, 2, 7))
def llama():
    return llama_net(20, 2, 4, 2, 16, 12, half_split)


@network(lambda net: next_loss(net, 2, 5))
def llama_of_meta():
    return llama_net(20, 1, 2, 2, 8, 12, partial(interleaved, theta=100.0), tied=True)


@network(lambda net: (net(filled(2, 2, 4, 6)) * filled(2, 2, 4, 6, step=29)).sum())
def rotary():
    net = Net(lambda n, x: half_split(x * n.gain, first=3))
    net.gain = nn.Parameter(torch.zeros(6))
    return net


@network(lambda net: F.cross_entropy(net(filled(3, 3, 8, 8)), ids(3, step=29, bound=3)))
def vit():
    return VisionTransformer(
        image_size=8, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12, num_classes=3
    )


@network(lambda net: F.cross_entropy(net(filled(2, 3, 32, 64)), ids(2, step=29, bound=3)))
def conv_next():
    settings = [CNBlockConfig(2, 4, 1), CNBlockConfig(4, 8, 1), CNBlockConfig(8, 16, 2), CNBlockConfig(16, None, 1)]
    return ConvNeXt(settings, stochastic_depth_prob=0.0, num_classes=3)


@network(lambda net: F.cross_entropy(net(filled(2, 3, 8, 12)), ids(2, 8, 12, step=29, bound=3)))
def u_net():
    def double(i, o):
        layers = [[nn.Conv2d(c, o, 3, padding=1, bias=False), nn.GroupNorm(1, o), nn.SiLU()] for c in (i, o)]
        return nn.Sequential(*sum(layers, []))

    def rise(i, o):
        return nn.ModuleDict({"rise": nn.ConvTranspose2d(i, o, 2, stride=2), "merge": double(2 * o, o)})

    def says(n, x):
        skips = []
        for down in n.down:
            x = down(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = n.middle(x)
        for up in n.up:
            x = up["merge"](torch.cat([skips.pop(), up["rise"](x)], 1))
        return n.head(x)

    down = nn.ModuleList([double(3, 2), double(2, 4)])
    up = nn.ModuleList([rise(8, 4), rise(4, 2)])
    return Net(says, down=down, middle=double(4, 8), up=up, head=nn.Conv2d(2, 3, 1))


@network(lambda net: F.cross_entropy(net(ids(3, 6, bound=20)), ids(3, step=29, bound=3)))
def lstm_classifier():
    def says(n, x):
        _, (h, _) = n.lstm(n.embed(x))
        return n.head(torch.cat([h[-2], h[-1]], 1))

    lstm = nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True)
    return Net(says, embed=nn.Embedding(20, 4, padding_idx=0), lstm=lstm, head=nn.Linear(10, 3))
