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


def record(shapes, case):
    steps = [37, 41, 43, 47]
    parameters = [filled(shape, step, 101, 32).requires_grad_() for shape, step in zip(shapes.values(), steps)]
    y = case(*parameters)
    (y * filled(y.shape, 17, 23, 8)).sum().backward()

    def numbers(values):
        return [float(f"{value:.9g}") for value in values.flatten().tolist()]

    gradients = {name: numbers(parameter.grad) for name, parameter in zip(shapes, parameters)}
    return {"result": numbers(y), "gradients": gradients}


lines = ",\n".join(f'  "{name}": {json.dumps(record(*case))}' for name, case in CASES.items())
print("{\n" + lines + "\n}")
