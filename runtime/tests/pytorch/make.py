"""The files of PyTorch's that the tests load, and what PyTorch makes of a file that the tests saved.

    python make.py              writes the files again, into the folder `files` beside this script
    python make.py check FILE   loads FILE as safetensors and as a state dict, and holds its values against the formulas
    python make.py torchvision FOLDER
                                writes the state dicts of networks into FOLDER, in both formats and the older one, and what the
                                networks say to an input
    python make.py saved FOLDER NAME
                                loads what the tests saved of one of them, and holds what it says against what it said

It needs torch and safetensors, and torchvision for the last two. Every value is a formula of its position, which `shipped.rs` repeats.
"""

import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

FILES = Path(__file__).parent / "files"


def counts(count, seed):
    return (torch.arange(count) * 7 + seed) % 13


def floats(shape, seed, dtype=torch.float32):
    count = torch.Size(shape).numel()
    return (counts(count, seed) / 4 - 1).to(dtype).reshape(shape)


def types():
    return OrderedDict(
        single=floats([2, 3], 0),
        double=floats([3], 1, torch.float64),
        half=floats([2, 2], 2, torch.float16),
        brief=floats([4], 3, torch.bfloat16),
        long=(counts(2, 4) - 5) * 5_000_000_000,
        whole=(counts(3, 5) - 5).to(torch.int32),
        byte=(counts(5, 6) + 200).to(torch.uint8),
        mask=counts(6, 7).reshape(2, 3) % 2 == 1,
        count=torch.tensor(-7),
    )


class Net(nn.Module):
    def __init__(self, shift=0):
        super().__init__()
        self.fc1 = nn.Linear(5, 7)
        self.fc2 = nn.Linear(7, 3)
        self.load_state_dict({key: floats(value.shape, 10 * at + shift) for at, (key, value) in enumerate(self.state_dict().items())})

    def forward(self, x):
        return self.fc2(self.fc1(x).relu())


def views():
    return {
        "fc1.weight": floats([5, 7], 0).t(),
        "fc1.bias": floats([15], 1)[1::2],
        "fc2.weight": floats([4, 10], 2)[1:, 2:9],
        "fc2.bias": floats([], 3).expand(3),
    }


def checkpoint():
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 5)).sum().backward()
    optimizer.step()
    net = Net()
    parameters = OrderedDict((key, nn.Parameter(value)) for key, value in net.state_dict().items())
    parameters._metadata = net.state_dict()._metadata
    return {
        "epoch": 3,
        "arch": "net",
        "state_dict": parameters,
        "optimizer": optimizer.state_dict(),
        "losses": [0.5, 0.25, 1],
        "large": [2**70, -(2**40), 70_000, 300],
        "best": None,
        "done": (True, False),
    }


def write():
    FILES.mkdir(exist_ok=True)
    torch.save(types(), FILES / "types.pth")
    save_file(types(), FILES / "types.safetensors")
    torch.save(views(), FILES / "views.pth")
    torch.save(checkpoint(), FILES / "checkpoint.pt")
    torch.save({"generator": Net().state_dict(), "discriminator": Net(1).state_dict()}, FILES / "several.pt")
    torch.save(Net().state_dict(), FILES / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"net": Net().state_dict(), "step": 7}, FILES / "protocol4.pt", pickle_protocol=4)
    torch.save(Net(), FILES / "module.pt")


def check(path):
    found, expected = load_file(path), types()
    assert list(sorted(found)) == list(sorted(expected)), sorted(found)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype and found[key].shape == value.shape, key
        assert torch.equal(found[key], value), key
    module = nn.Module()
    for key, value in expected.items():
        module._buffers[key] = torch.zeros_like(value)  # some keys are methods of modules
    print(module.load_state_dict(found, strict=True))


def networks():
    """Those of torchvision that the library has; transformers and the like in small."""
    from torchvision import models
    from torchvision.models.convnext import CNBlockConfig

    stages = [CNBlockConfig(8, 16, 1), CNBlockConfig(16, 32, 1), CNBlockConfig(32, 64, 2), CNBlockConfig(64, None, 1)]
    small = {"image_size": 64, "patch_size": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 32, "mlp_dim": 64}
    return {
        "resnet18": models.resnet18,
        "mobilenet_v2": models.mobilenet_v2,
        "vit": lambda: models.VisionTransformer(**small),
        "convnext": lambda: models.ConvNeXt(stages),
    }


def torchvision(folder):
    for name, make in networks().items():
        torch.manual_seed(0)
        net = make().eval()
        if name in ("vit", "convnext"):
            # What begins at zero, or so small that it says nothing, as if it had been trained.
            for parameter in net.parameters():
                parameter.data.normal_(std=0.2)
        # Running statistics as if it had been trained.
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.num_batches_tracked += 7
        state = net.state_dict()
        with torch.no_grad():
            save_file({"output": net(floats([1, 3, 64, 64], 0))}, f"{folder}/{name}_output.safetensors")
        torch.save(state, f"{folder}/{name}.pth")
        torch.save(state, f"{folder}/{name}_legacy.pth", _use_new_zipfile_serialization=False)
        save_file(state, f"{folder}/{name}.safetensors")


def saved(folder, name):
    net = networks()[name]().eval()
    print(net.load_state_dict(load_file(f"{folder}/{name}_saved.safetensors"), strict=True))
    with torch.no_grad():
        output = net(floats([1, 3, 64, 64], 0))
    assert torch.equal(output, load_file(f"{folder}/{name}_output.safetensors")["output"]), name


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            write()
        case ["check", path]:
            check(path)
        case ["torchvision", folder]:
            torchvision(folder)
        case ["saved", folder, name]:
            saved(folder, name)
        case _:
            sys.exit(__doc__)
