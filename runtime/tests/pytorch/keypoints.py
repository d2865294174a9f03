"""The example `keypoints` in PyTorch: torchvision's mobilenet_v2 on the same pictures, trained in the same way.

    cargo run --release --bin keypoints -- --write-data FILE
    python keypoints.py FILE [THREADS]

It prints the same lines. It needs torch, torchvision and safetensors.
"""

import sys
import time

import torch
from safetensors.torch import load_file
from torchvision.models import mobilenet_v2

BATCH, RATE, EPOCHS, SEED = 16, 2e-3, 25, 7


def fit(net, images, points):
    batches = len(images) // BATCH
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * batches)
    net.train()
    for epoch in range(EPOCHS):
        start, losses = time.perf_counter(), 0.0
        for chosen in torch.randperm(len(images))[: batches * BATCH].split(BATCH):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(net(images[chosen]).reshape(-1, 5, 2), points[chosen])
            loss.backward()
            optimizer.step()
            schedule.step()
            losses += loss.item()
        seconds = time.perf_counter() - start
        print(f"epoch {epoch + 1} of {EPOCHS}: {seconds:.1f} s, loss {losses / batches:.6f}", flush=True)


def error(net, images, points):
    net.eval()
    with torch.no_grad():
        found = torch.cat([net(batch) for batch in images.split(BATCH)]).reshape(-1, 5, 2)
    return (found - points).norm(dim=2).mean().item()


def main(path):
    torch.manual_seed(SEED)
    data = load_file(path)
    net = mobilenet_v2(num_classes=10, dropout=0.0)
    size, count = data["test.image"].shape[-1], len(data["test.image"])
    start = time.perf_counter()
    fit(net, data["train.image"], data["train.points"])
    seconds = time.perf_counter() - start
    pixels = size * error(net, data["test.image"], data["test.points"])
    print(f"{pixels:.2f} of {size} pixels off on average, on {count} other faces")
    print(f"result error_px={pixels:.3f} seconds={seconds:.1f}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [path]:
            main(path)
        case [path, threads]:
            torch.set_num_threads(int(threads))
            main(path)
        case _:
            sys.exit(__doc__)
