"""Records what PyTorch makes of networks: python make.py > records.json, with torch and torchvision at hand, in float64.

Each network has a loss, the gradients of its parameters and the states that a step leaves; parameters and inputs are filled by
formulas that the tests repeat.
"""

import json

import library  # noqa: F401
import spelled  # noqa: F401
import torch
from networks import NETWORKS, formula


MOST = 60


def numbers(values):
    """The numbers of a tensor; of a large one its norm and some of them, evenly apart."""
    values = values.flatten().double()
    step = -(-len(values) // MOST)
    some = [float(f"{value:.7g}") for value in values[::step].tolist()]
    return some if step == 1 else {"norm": float(f"{values.norm().item():.7g}"), "step": step, "values": some}


def record(net, loss):
    net = net.double().train()
    for at, (_, parameter) in enumerate(sorted(net.named_parameters())):
        parameter.data = formula(parameter.shape, 101 + 34 * at, 1024)
    value = loss(net)
    value.backward()
    gradients = {key: parameter.grad for key, parameter in net.named_parameters()}
    states = dict(net.named_buffers())
    by_key = [{key: numbers(value) for key, value in tensors.items()} for tensors in (gradients, states)]
    return {"loss": float(f"{value.item():.9g}"), "gradients": by_key[0], "states": by_key[1]}


torch.manual_seed(0)
records = {name: record(make(), loss) for name, (make, loss) in NETWORKS.items()}
lines = ",\n".join(f'  "{name}": {json.dumps(record)}' for name, record in records.items())
print("{\n" + lines + "\n}")
