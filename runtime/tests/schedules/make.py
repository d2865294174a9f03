"""Writes `rates.json`: the learning rates of PyTorch's schedulers in float64, step by step, by names that `main.rs` repeats.

    python make.py

It needs torch.
"""

import json
import warnings
from pathlib import Path

import torch
from torch.optim import lr_scheduler as S

STEPS = 40
BASE = 0.05

CASES = {
    "hold": lambda o: S.ConstantLR(o, factor=0.25, total_iters=6),
    "step": lambda o: S.StepLR(o, 5, 0.5),
    "multi_step": lambda o: S.MultiStepLR(o, [4, 9, 9, 30], 0.3),
    "exponential": lambda o: S.ExponentialLR(o, 0.9),
    "cosine": lambda o: S.CosineAnnealingLR(o, 30, 0.001),
    "cosine_beyond": lambda o: S.CosineAnnealingLR(o, 7, 0.002),
    "linear": lambda o: S.LinearLR(o, 0.1, 1.0, 5),
    "linear_down": lambda o: S.LinearLR(o, 1.0, 0.2, 30),
    "polynomial": lambda o: S.PolynomialLR(o, 25, 2.5),
    "one_cycle": lambda o: S.OneCycleLR(o, 0.1, total_steps=41, cycle_momentum=False),
    "one_cycle_options": lambda o: S.OneCycleLR(
        o, 0.1, total_steps=41, pct_start=0.4, anneal_strategy="linear", div_factor=10, final_div_factor=100, cycle_momentum=False
    ),
    "one_cycle_three": lambda o: S.OneCycleLR(o, 0.1, total_steps=41, three_phase=True, cycle_momentum=False),
    "warm_up_cosine": lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, 1.0, 5), S.CosineAnnealingLR(o, 25)], [5]),
    "three_in_turn": lambda o: S.SequentialLR(
        o, [S.ConstantLR(o, 0.1, 3), S.ExponentialLR(o, 0.8), S.StepLR(o, 2, 0.5)], [8, 20]
    ),
    "chained": lambda o: S.ChainedScheduler([S.LinearLR(o, 0.1, 1.0, 5), S.ExponentialLR(o, 0.95), S.StepLR(o, 10, 0.5)]),
}

# Metrics that get better, worse, and stay, with a number that is none.
METRICS = [1.0, 0.9, 0.9, 0.8999, 0.95, 0.85, 0.85, 0.85, 0.86, 0.85, 0.849, 0.7, 0.71, float("nan"), 0.7, 0.7, 0.7, 0.7, 0.7]
METRICS += [0.6, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65]

PLATEAUS = {
    "plateau": dict(patience=2),
    "plateau_default": dict(),
    "plateau_cooldown": dict(factor=0.5, patience=1, cooldown=3),
    "plateau_absolute": dict(factor=0.5, patience=2, threshold=0.06, threshold_mode="abs"),
    "plateau_max": dict(mode="max", factor=0.7, patience=1, threshold=0.01),
    "plateau_max_absolute": dict(mode="max", factor=0.7, patience=1, threshold=0.05, threshold_mode="abs"),
    "plateau_floor": dict(factor=0.3, patience=0, min_lr=0.004),
}


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=BASE)


def rates(make):
    o = optimizer()
    schedule, found = make(o), []
    for _ in range(STEPS):
        found.append(o.param_groups[0]["lr"])
        o.step()
        schedule.step()
    return found


def plateau(options):
    o = optimizer()
    schedule, found = S.ReduceLROnPlateau(o, **options), []
    for metric in METRICS:
        # Where more is better, what gets smaller here gets larger.
        schedule.step(2.0 - metric if options.get("mode") == "max" else metric)
        found.append(o.param_groups[0]["lr"])
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = {name: rates(make) for name, make in CASES.items()}
    found |= {name: plateau(options) for name, options in PLATEAUS.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(rates)}" for name, rates in found.items())
    (Path(__file__).parent / "rates.json").write_text(f"{{\n{lines}\n}}\n")
