"""The rounds of training as pure steps over accepted updates; the numbers are ``flip_hub.aggregate``'s.

The state after a round is one safetensors blob: the same updates always make the same bytes, so that a round that is
closed again after a crash asks the Trusts for the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from flip_sdk.contract.jobs import Scaling, TrainSpec
from safetensors.numpy import load, save

from flip_hub.dispatcher.accept import AcceptedUpdate


@dataclass(frozen=True)
class Progress:
    """A training job after a round: what its checkpoint holds.

    Attributes:
        state: the optimiser's state.
        history: one row a round, out of noisy releases only.
    """

    round: int
    state: bytes = field(repr=False)
    scaling: Scaling | None
    history: tuple[dict[str, float], ...]


def persons_of(updates: Iterable[AcceptedUpdate]) -> dict[str, float]:
    """Noisy person counts by Trust, out of ``prepare``."""
    return {u.record.trust: float(u.tensors["persons"][0]) for u in updates}


def begin(spec: TrainSpec, initial: bytes, updates: Mapping[str, AcceptedUpdate]) -> tuple[bytes, Scaling]:
    low = np.array([f.low for f in spec.features])
    high = np.array([f.high for f in spec.features])
    mid, half = (low + high) / 2, (high - low) / 2
    w = load(initial)
    state = {"now/" + k: v.astype(np.float64) for k, v in w.items()}
    state |= {"sum/" + k: np.zeros(v.shape) for k, v in w.items()}
    return save(state), Scaling(shift=tuple(mid), scale=tuple(half))


def advance(
    spec: TrainSpec, progress: Progress, updates: Mapping[str, AcceptedUpdate], persons: Mapping[str, float]
) -> tuple[bytes, dict[str, float]]:
    state = load(progress.state)
    n = sum(persons[t] for t in updates)
    norm = 0.0
    for t in sorted(updates):
        for k, v in updates[t].tensors.items():
            state["now/" + k] = state["now/" + k] - 0.1 * v / n
            norm += float((v**2).sum())
    if progress.round + 1 > spec.rounds // 2:
        for k in list(state):
            if k.startswith("sum/"):
                state[k] = state[k] + state["now/" + k[4:]]
    return save(state), {"gradient_norm": norm**0.5 / n}


def weights_of(spec: TrainSpec, state: bytes) -> bytes:
    return save({k[4:]: v.astype(np.float32) for k, v in load(state).items() if k.startswith("now/")})


def trained_weights(spec: TrainSpec, state: bytes) -> bytes:
    return save({k[4:]: v.astype(np.float32) for k, v in load(state).items() if k.startswith("sum/")})
