"""Records what PyTorch makes of classes over turns: python make.py > records.json, with PyTorch at hand, in float64.

Logits, labels and factors are filled by formulas that the test repeats. The gradient is that of the mean, twice the sum and
the single losses times factors of their own.
"""

import json

import torch
from torch.nn.functional import ctc_loss

T, N, C, S = 12, 6, 6, 4
CASES = {
    "first_class_is_blank": dict(blank=0, turns=[12, 9, 12, 7, 5, 1], lengths=[4, 3, 0, 4, 2, 1], zero_infinity=False),
    "last_class_is_blank": dict(blank=5, turns=[12, 9, 4, 3, 5, 1], lengths=[4, 3, 4, 4, 0, 2], zero_infinity=True),
    "impossible": dict(blank=5, turns=[12, 9, 4, 3, 5, 1], lengths=[4, 3, 4, 4, 0, 2], zero_infinity=False),
}


def labels(blank):
    """Row 2 repeats a label without end, row 3 in the middle."""
    rows = [[(7 * (4 * n + s) + 3) % 5 for s in range(S)] for n in range(N)]
    rows[2] = [2] * S
    rows[3] = [1, 4, 4, 3]
    return torch.tensor(rows) + (1 if blank == 0 else 0)


def numbers(tensor):
    return [float(f"{x:.10g}") if x < float("inf") else "inf" for x in tensor.flatten().tolist()]


def record(blank, turns, lengths, zero_infinity):
    x = [((37 * i) % 101 - 50) / 20 for i in range(T * N * C)]
    x = torch.tensor(x, dtype=torch.float64).reshape(T, N, C).requires_grad_()
    g = torch.tensor([(i % 5) * 0.5 - 0.75 for i in range(N)], dtype=torch.float64)
    logs = x.log_softmax(-1)

    def loss(reduction):
        sizes = torch.tensor(turns), torch.tensor(lengths)
        return ctc_loss(logs, labels(blank), *sizes, blank, reduction=reduction, zero_infinity=zero_infinity)

    average, total, each = loss("mean"), loss("sum"), loss("none")
    made = dict(each=numbers(each))
    if total.isfinite():
        (average + 2 * total + (each * g).sum()).backward()
        made.update(average=numbers(average), total=numbers(total), gradient=numbers(x.grad))
    return made


lines = ",\n".join(f'  "{name}": {json.dumps(record(**case))}' for name, case in CASES.items())
print("{\n" + lines + "\n}")
