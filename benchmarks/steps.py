"""One step of training by each way, for benchmarks/dpsgd.py: a process measures time or memory and prints JSON.

python -m benchmarks.steps time MODEL            milliseconds a step of every way, in turns, many times over
python -m benchmarks.steps memory MODEL WAY      megabytes that some steps add to the process at their peak
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from flip_sdk.contract.jobs import DPSGD
from flip_sdk.mechanisms.computation import Computation, Descent
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model
from torch import Tensor, nn

PERSONS, BATCH = 2560, 256
CLIP, NOISE, RATE = 1.0, 1.0, 0.1
Steps = Callable[[int], None]
"""Takes so many steps."""


def _image(side: int, *widths: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Unflatten(1, (1, side, side))]
    for before, after in zip((1, *widths), widths, strict=False):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(after // 4, after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * (side >> len(widths)) ** 2, 2))


MODELS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "logistic 100-2": (100, lambda: nn.Linear(100, 2)),
    "MLP 100-256-128-2": (
        100,
        lambda: nn.Sequential(nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 2)),
    ),
    "CNN 28x28": (784, lambda: _image(28, 16, 32)),
    "CNN 64x64": (4096, lambda: _image(64, 16, 32, 64)),
}


def people(features: int) -> tuple[Tensor, Tensor]:
    """Made-up people, their features in [-1, 1]."""
    torch.manual_seed(0)
    return 2 * torch.rand(PERSONS, features) - 1, torch.randint(0, 2, (PERSONS,))


def without_privacy(model: nn.Module, x: Tensor, labels: Tensor) -> Steps:
    """Plain SGD on batches of 256."""
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def steps(count: int) -> None:
        for _ in range(count):
            chosen = torch.randperm(len(x))[:BATCH]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[chosen]), labels[chosen]).backward()
            optimizer.step()

    return steps


def ours(model: nn.Module, x: Tensor, labels: Tensor) -> Steps:
    """The product's own DP-SGD, as a worker runs it."""
    exported = export_model(model, x.shape[1], "cross_entropy")
    bounds = np.tile([-1.0, 1.0], (x.shape[1], 1))
    computation = Computation(Snapshot(x.double().numpy(), labels.numpy()), bounds, exported.graph)

    def steps(count: int) -> None:
        mechanism = DPSGD(max_grad_norm=CLIP, learning_rate=RATE, sampling_rate=BATCH / PERSONS, local_steps=count)
        computation.dp_sgd(exported.weights, None, "cross_entropy", Descent(mechanism, NOISE, PERSONS))

    return steps


def _opacus(mode: str) -> Callable[[nn.Module, Tensor, Tensor], Steps]:
    def build(model: nn.Module, x: Tensor, labels: Tensor) -> Steps:
        from opacus import PrivacyEngine
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(x, labels), batch_size=BATCH)
        made = PrivacyEngine().make_private(
            module=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=RATE),
            criterion=nn.CrossEntropyLoss(),
            data_loader=loader,
            noise_multiplier=NOISE,
            max_grad_norm=CLIP,
            # masks on tensors in memory, drawn below, are faster than Opacus's own data loader
            poisson_sampling=False,
            grad_sample_mode=mode,
        )
        private, optimizer = made[0], made[1]
        criterion = made[2] if mode == "ghost" else nn.CrossEntropyLoss()

        def steps(count: int) -> None:
            for _ in range(count):
                chosen = torch.rand(len(x)) < BATCH / PERSONS
                optimizer.zero_grad()
                criterion(private(x[chosen]), labels[chosen]).backward()
                optimizer.step()

        return steps

    return build


WAYS: dict[str, Callable[[nn.Module, Tensor, Tensor], Steps]] = {
    "without privacy": without_privacy,
    "ours": ours,
    "opacus hooks": _opacus("hooks"),
    "opacus ghost": _opacus("ghost"),
}


def prepared(name: str, way: str) -> Steps:
    """A way of training a model, ready to take steps."""
    features, make = MODELS[name]
    torch.manual_seed(1)
    return WAYS[way](make(), *people(features))


def times(name: str, seconds: float) -> dict[str, float]:
    """The fastest turn of each way, in milliseconds a step; ways take turns, so that all meet the same machine."""
    ways = {way: prepared(name, way) for way in WAYS}
    fastest = dict.fromkeys(ways, float("inf"))
    turns = {}
    for way, steps in ways.items():
        steps(2)
        began = time.process_time()
        steps(2)
        turns[way] = max(1, round(0.4 * seconds / 20 / len(ways) / (time.process_time() - began) * 2))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for way, steps in ways.items():
            began = time.process_time()
            steps(turns[way])
            fastest[way] = min(fastest[way], 1000 * (time.process_time() - began) / turns[way])
    return fastest


def memory(name: str, way: str) -> dict[str, float]:
    """What four steps add at their peak to a process that holds the data and the model."""
    steps = prepared(name, way)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    steps(4)
    return {way: _status("VmHWM") - before}


def _status(field: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    what, given, *rest = sys.argv[1:]
    print(json.dumps(times(given, float(rest[0])) if what == "time" else memory(given, rest[0])))
