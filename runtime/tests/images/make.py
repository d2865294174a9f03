"""Records what PyTorch makes of images: python make.py > records.json, with PyTorch at hand, in float64.

Each case has a result and the gradient of sum(result * g) for x; x and g are filled by formulas that the test repeats.
"""

import json

import torch
import torch.nn.functional as F

SHAPE = (1, 2, 7, 6)


def filled(shape, step, modulus, scale):
    count = torch.Size(shape).numel()
    middle = modulus // 2
    return torch.tensor([(i * step % modulus - middle) / scale for i in range(count)], dtype=torch.float64).reshape(shape)


def weight(*shape):
    return filled(shape, 29, 43, 32)


CASES = {
    "max": lambda x: F.max_pool2d(x, 2),
    "max_padded": lambda x: F.max_pool2d(x, 3, stride=2, padding=1),
    "max_ceil": lambda x: F.max_pool2d(x, 2, stride=2, ceil_mode=True),
    "max_of_equals": lambda x: F.max_pool2d(x - x.detach() + x.detach().floor(), 3, stride=2, padding=1),
    "max_dilated": lambda x: F.max_pool2d(x, (3, 2), stride=(1, 2), padding=(1, 0), dilation=(2, 1)),
    "avg": lambda x: F.avg_pool2d(x, 2),
    "avg_padded": lambda x: F.avg_pool2d(x, 3, stride=2, padding=1),
    "avg_without_padding": lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False),
    "avg_ceil": lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True),
    "avg_ceil_without_padding": lambda x: F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False),
    "avg_divided": lambda x: F.avg_pool2d(x, 2, divisor_override=5),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    "adaptive_larger": lambda x: F.adaptive_avg_pool2d(x, (4, 9)),
    "adaptive_one": lambda x: F.adaptive_avg_pool2d(x, 1),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "nearest_size": lambda x: F.interpolate(x, size=(5, 9)),
    "nearest_factor": lambda x: F.interpolate(x, scale_factor=1.5),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "bilinear_aligned": lambda x: F.interpolate(x, size=(11, 4), mode="bilinear", align_corners=True),
    "bilinear_factor": lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"),
    "bilinear_smaller": lambda x: F.interpolate(x, size=(3, 4), mode="bilinear"),
    "same": lambda x: F.conv2d(x, weight(3, 2, 4, 2), padding="same"),
    "grouped": lambda x: F.conv2d(x, weight(4, 1, 3, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
    "reflected": lambda x: F.conv2d(F.pad(x, (1, 1, 2, 2), mode="reflect"), weight(2, 2, 3, 3)),
    "circular": lambda x: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), weight(2, 2, 3, 3)),
    "transposed": lambda x: F.conv_transpose2d(x, weight(2, 3, 3, 3), stride=2, padding=1, output_padding=1),
    "transposed_grouped": lambda x: F.conv_transpose2d(
        x, weight(2, 2, 2, 3), stride=(3, 1), padding=(0, 1), output_padding=(2, 0), groups=2, dilation=(1, 2)
    ),
}


def record(case):
    x = filled(SHAPE, 37, 101, 16).requires_grad_()
    y = case(x)
    (y * filled(y.shape, 17, 23, 8)).sum().backward()

    def numbers(values):
        return [float(f"{value:.9g}") for value in values.flatten().tolist()]

    return {"shape": list(y.shape), "result": numbers(y), "gradient": numbers(x.grad)}


lines = ",\n".join(f'  "{name}": {json.dumps(record(case))}' for name, case in CASES.items())
print("{\n" + lines + "\n}")
