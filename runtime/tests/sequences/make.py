"""Records what PyTorch makes of sequences: python make.py > records.json, with PyTorch at hand, in float64.

Each case has a result and the gradients of sum(result * g) for its parameters; these and g are filled by formulas that the
test repeats.
"""

import json

import torch
import torch.nn.functional as F


def filled(shape, step, modulus, scale):
    count = torch.Size(shape).numel()
    middle = modulus // 2
    return torch.tensor([(i * step % modulus - middle) / scale for i in range(count)], dtype=torch.float64).reshape(shape)


def seen(queries, keys):
    """Which keys a query sees; the second query sees none."""
    rows = [[(3 * l + 2 * s) % 4 != 0 and l != 1 for s in range(keys)] for l in range(queries)]
    return torch.tensor(rows)


attention = F.scaled_dot_product_attention
HEADS = {"q": (2, 2, 5, 4), "k": (2, 2, 6, 4), "v": (2, 2, 6, 3)}
ONE = {"q": (5, 4), "k": (6, 4), "v": (6, 3)}
THREE = {"q": (3, 5, 4), "k": (3, 6, 4), "v": (3, 6, 3)}
FIVE = {"q": (2, 1, 2, 3, 4), "k": (2, 1, 2, 3, 4), "v": (2, 1, 2, 3, 4)}
GROUPED = {"q": (1, 4, 3, 4), "k": (1, 2, 3, 4), "v": (1, 2, 3, 2)}
BIASED = {**HEADS, "bias": (2, 5, 6)}

CASES = {
    "plain": (HEADS, lambda q, k, v: attention(q, k, v)),
    "causal": (HEADS, lambda q, k, v: attention(q, k, v, is_causal=True)),
    "scaled": (HEADS, lambda q, k, v: attention(q, k, v, scale=0.3)),
    "masked": (HEADS, lambda q, k, v: attention(q, k, v, attn_mask=seen(5, 6))),
    "biased": (BIASED, lambda q, k, v, bias: attention(q, k, v, attn_mask=bias)),
    "one": (ONE, lambda q, k, v: attention(q, k, v)),
    "three": (THREE, lambda q, k, v: attention(q, k, v, is_causal=True)),
    "five": (FIVE, lambda q, k, v: attention(q, k, v, attn_mask=seen(3, 3))),
    "grouped": (GROUPED, lambda q, k, v: attention(q, k, v, is_causal=True, enable_gqa=True)),
}


class Around(torch.nn.Module):
    """A layer beside tensors that it is applied to."""

    def __init__(self, shapes, layer):
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)))
        self.m = layer.double()


def later(size):
    """What a place does not see: those behind it."""
    return torch.ones(size, size).triu(1).bool()


PADDED = torch.tensor([[False, False, True, False, True], [False, False, False, True, True]])
X = {"x": (2, 5, 8)}
PAIR = {"x": (2, 5, 8), "y": (2, 4, 8)}
CROSS = {"q": (3, 2, 8), "k": (5, 2, 6), "v": (5, 2, 4)}
nn = torch.nn
encoder = nn.TransformerEncoderLayer
decoder = nn.TransformerDecoderLayer
causal = nn.Transformer.generate_square_subsequent_mask

LAYERS = {
    "heads": (X, nn.MultiheadAttention(8, 2, batch_first=True), lambda n: n.m(n.x, n.x, n.x)[0]),
    "heads_weights": (X, nn.MultiheadAttention(8, 2, batch_first=True), lambda n: n.m(n.x, n.x, n.x)[1]),
    "heads_past": (X, nn.MultiheadAttention(8, 2, batch_first=True, bias=False), lambda n: n.m(n.x, n.x, n.x, attn_mask=later(5))[0]),
    "heads_cross": (
        CROSS,
        nn.MultiheadAttention(8, 4, kdim=6, vdim=4),
        lambda n: n.m(n.q, n.k, n.v, key_padding_mask=PADDED, average_attn_weights=False)[0],
    ),
    "heads_cross_weights": (
        CROSS,
        nn.MultiheadAttention(8, 4, kdim=6, vdim=4),
        lambda n: n.m(n.q, n.k, n.v, key_padding_mask=PADDED, average_attn_weights=False)[1],
    ),
    "heads_more": (X, nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True), lambda n: n.m(n.x, n.x, n.x)[0]),
    "heads_alone": ({"x": (5, 8)}, nn.MultiheadAttention(8, 2), lambda n: n.m(n.x, n.x, n.x)[0]),
    "encoder": (X, encoder(8, 2, 16, 0.0, batch_first=True), lambda n: n.m(n.x, src_mask=later(5))),
    "encoder_first": (
        X,
        encoder(8, 2, 16, 0.0, "gelu", norm_first=True, batch_first=True),
        lambda n: n.m(n.x, src_key_padding_mask=PADDED),
    ),
    "decoder": (PAIR, decoder(8, 2, 16, 0.0, batch_first=True), lambda n: n.m(n.x, n.y, tgt_mask=causal(5).double())),
    "decoder_first": (PAIR, decoder(8, 2, 16, 0.0, norm_first=True, batch_first=True), lambda n: n.m(n.x, n.y)),
    "group_norm": ({"x": (2, 4, 3, 2)}, nn.GroupNorm(2, 4), lambda n: n.m(n.x)),
    "group_norm_flat": ({"x": (3, 6)}, nn.GroupNorm(3, 6, affine=False), lambda n: n.m(n.x)),
    "instance_norm": ({"x": (2, 3, 4, 2)}, nn.InstanceNorm2d(3, affine=True), lambda n: n.m(n.x)),
}
STEPS = [37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 103, 107, 109, 113, 127, 131]


def numbers(values):
    return [float(f"{value:.9g}") for value in values.flatten().tolist()]


def record(parameters, case):
    """The parameters are filled in the order of their keys."""
    parameters = dict(sorted(parameters.items()))
    for step, parameter in zip(STEPS, parameters.values()):
        parameter.data = filled(parameter.shape, step, 101, 64)
    y = case()
    (y * filled(y.shape, 17, 23, 8)).sum().backward()
    gradients = {key: numbers(parameter.grad) for key, parameter in parameters.items() if parameter.grad is not None}
    return {"result": numbers(y), "gradients": gradients}


def function_record(shapes, case):
    parameters = {key: torch.zeros(shape, dtype=torch.float64).requires_grad_() for key, shape in shapes.items()}
    return record(parameters, lambda: case(**parameters))


def layer_record(shapes, layer, case):
    net = Around(shapes, layer)
    return record(dict(net.named_parameters()), lambda: case(net))


records = {name: function_record(*case) for name, case in CASES.items()}
records |= {name: layer_record(*case) for name, case in LAYERS.items()}
lines = ",\n".join(f'  "{name}": {json.dumps(record)}' for name, record in records.items())
print("{\n" + lines + "\n}")
