"""The state of a training as bytes: the same updates always make the same ones, so that a checkpoint resumes exactly.

One safetensors blob: ``now/<name>`` for every tensor of the model's weights, ``sum/<name>`` for the sum of the iterates
that are averaged, ``averaged`` for how many those are, ``last/<name>`` for the last round's mean, ``fall`` for the
estimated change of the loss; ``first/<name>`` and ``second/<name>`` for Adam's moments; ``drift/<trust>/<name>`` for
each Trust's control variate and ``drift//<name>`` for the common one (SCAFFOLD).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

Array = npt.NDArray[np.float64]
State = dict[str, npt.NDArray[Any]]
NOW, SUM, LAST, AVERAGED, FALL = "now/", "sum/", "last/", "averaged", "fall"
FIRST, SECOND, DRIFT = "first/", "second/", "drift/"


def start(weights: bytes) -> bytes:
    """The state before the first round: the weights the researcher sent."""
    state: State = {NOW + name: value for name, value in load(weights).items()}
    return written(state | {AVERAGED: np.zeros(1, dtype=np.int64), FALL: np.zeros(2)})


def current_weights(state: bytes) -> bytes:
    """Weights for the next round, as safetensors."""
    held = read(state)
    return _as_weights(held, {name: held[NOW + name] for name in _names(held)})


def trained_weights(state: bytes) -> bytes:
    """Weights of the trained model: the average of the iterates where some were averaged, else the last ones."""
    held = read(state)
    averaged = int(held[AVERAGED][0])
    trained = {name: held[SUM + name] / averaged for name in _names(held) if averaged and SUM + name in held}
    return _as_weights(held, {name: trained.get(name, held[NOW + name]) for name in _names(held)})


def move(held: State, steps: Mapping[str, Array], *, counts: bool) -> None:
    """Add a step to the iterate; ``counts``: whether the new iterate is one of those that are averaged."""
    for name, step in steps.items():
        now = held[NOW + name].astype(np.float64) + step
        before = held.get(SUM + name, np.zeros(now.shape))
        held[NOW + name], held[SUM + name] = now, before + now if counts else before
    held[AVERAGED] = held[AVERAGED] + int(counts)


def fall(held: State, mean: Mapping[str, Array], factor: float, *, own: float) -> float:
    """Estimated change of the loss up to the beginning of this round; ``own`` is what this round's step adds to it."""
    change, waiting = (float(value) for value in held[FALL])
    last = {name: held[LAST + name] for name in mean if LAST + name in held}
    change -= waiting + factor * sum(float((mean[name] * value).sum()) for name, value in last.items())
    held.update({LAST + name: value for name, value in mean.items()})
    held[FALL] = np.array([change, own])
    return change


def added(by_trust: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Sums over the Trusts, in the order of their names, so that a round closed again gives the same bytes."""
    totals: dict[str, Array] = {}
    for trust in sorted(by_trust):
        for name, value in by_trust[trust].items():
            totals[name] = totals[name] + value if name in totals else np.asarray(value, dtype=np.float64)
    return totals


def norm(tensors: Mapping[str, Array]) -> float:
    """L2 norm over all of them."""
    return float(np.sqrt(sum(float(np.square(value).sum()) for value in tensors.values())))


def read(state: bytes) -> State:
    """A state's tensors."""
    return dict(load(state))


def written(tensors: State) -> bytes:
    """Tensors as a state."""
    return bytes(save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}))


def _as_weights(held: State, values: State) -> bytes:
    # what is trained is float32 in every graph and float64 in the state; constants stay as they came
    return written({name: v.astype(np.float32) if SUM + name in held else v for name, v in values.items()})


def _names(held: State) -> list[str]:
    return sorted(key.removeprefix(NOW) for key in held if key.startswith(NOW))
