"""Rounds of training as pure functions from state to state.

A state is one safetensors blob: ``now/<name>`` for every tensor of the model's weights, ``sum/<name>`` for the sum of
the iterates that are averaged, ``averaged`` for how many those are, ``last/<name>`` for the last round's mean, ``fall``
for the estimated change of the loss. The same updates always make the same bytes.

The loss itself is never released. But the sums of gradients that are released are slopes of the loss, of the clipped
one to be exact, and its change is the path integral along the weights' way of those slopes: an estimate that costs no
privacy, and whose bias by the noise is known and taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from flip_sdk.contract.jobs import DPSGD, FullBatch

Array = npt.NDArray[np.float64]
State = dict[str, npt.NDArray[Any]]
_NOW, _SUM, _LAST, _AVERAGED, _FALL = "now/", "sum/", "last/", "averaged", "fall"


def start(weights: bytes) -> bytes:
    """The state before the first round: the weights the researcher sent."""
    state: State = {_NOW + name: value for name, value in load(weights).items()}
    return _written(state | {_AVERAGED: np.zeros(1, dtype=np.int64), _FALL: np.zeros(2)})


def descend(
    state: bytes,
    sums: Mapping[str, Mapping[str, Array]],
    persons: Mapping[str, float],
    mechanism: FullBatch,
    *,
    noise: Mapping[str, float],
    round_number: int,
    rounds: int,
) -> tuple[bytes, dict[str, float]]:
    """One full-batch step ``w ← w - learning_rate · Σ / (n · max_grad_norm)`` over the Trusts that answered.

    Args:
        state: the state before.
        sums: by Trust, noisy sums of clipped gradients, one tensor per parameter.
        persons: noisy persons by Trust.
        mechanism: learning rate and clip.
        noise: by Trust, the noise multiplier of its sum.
        round_number: 1 … rounds. Iterates of the last half are summed up for the average.
        rounds: how many there are.

    Returns:
        The state after, and ``gradient_norm``: the length of the mean clipped gradient, in units of the clip; and
        ``loss_change``: estimated, from the first round's beginning to this round's.
    """
    held = _read(state)
    total = sum(max(1.0, persons[trust]) for trust in sums)
    mean = {name: value / (total * mechanism.max_grad_norm) for name, value in _added(sums).items()}
    last_half = 2 * round_number > rounds
    for name, gradient in mean.items():
        now = held[_NOW + name].astype(np.float64) - mechanism.learning_rate * gradient
        before = held.get(_SUM + name, np.zeros(now.shape))
        held[_NOW + name], held[_SUM + name] = now, before + now if last_half else before
    held[_AVERAGED] = held[_AVERAGED] + int(last_half)
    # over a step -l·g from w to w', the trapezoid rule: half of (slope at w + slope at w')·step. The noise in g is in
    # the step too, so that g·g is too large by its variance; the two slopes' noises are independent of each other
    variance = sum(value.size for value in mean.values()) * sum(noise[trust] ** 2 for trust in sums) / total**2
    half_step = 0.5 * mechanism.learning_rate * mechanism.max_grad_norm
    change = _fall(held, mean, half_step, own=half_step * (_norm(mean) ** 2 - variance))
    return _written(held), {"gradient_norm": _norm(mean), "loss_change": change}


def average(
    state: bytes, deltas: Mapping[str, Mapping[str, Array]], persons: Mapping[str, float], mechanism: DPSGD
) -> tuple[bytes, dict[str, float]]:
    """One round of federated averaging: each Trust's change of the weights, weighted by its noisy persons.

    Returns:
        The state after, and ``update_norm``: the length of the mean change; and ``loss_change``: estimated, from the
        first round's beginning to this round's. Where the loss is convex it has fallen at least as far.
    """
    held = _read(state)
    total = sum(max(1.0, persons[trust]) for trust in deltas)
    shares = {
        trust: {name: value * (max(1.0, persons[trust]) / total) for name, value in delta.items()}
        for trust, delta in deltas.items()
    }
    mean = _added(shares)
    for name, delta in mean.items():
        held[_NOW + name] = held[_NOW + name].astype(np.float64) + delta
        held.setdefault(_SUM + name, np.zeros(delta.shape))
    # a round's own change carries its samples' and its noise's chance in both factors; the next round's slope does not
    change = _fall(held, mean, 1 / (mechanism.learning_rate * mechanism.local_steps), own=0.0)
    return _written(held), {"update_norm": _norm(mean), "loss_change": change}


def current_weights(state: bytes) -> bytes:
    """Weights for the next round, as safetensors."""
    held = _read(state)
    return _as_weights(held, {name: held[_NOW + name] for name in _names(held)})


def trained_weights(state: bytes) -> bytes:
    """Weights of the trained model: the average of the iterates where some were averaged, else the last ones."""
    held = _read(state)
    averaged = int(held[_AVERAGED][0])
    trained = {name: held[_SUM + name] / averaged for name in _names(held) if averaged and _SUM + name in held}
    return _as_weights(held, {name: trained.get(name, held[_NOW + name]) for name in _names(held)})


def _fall(held: State, mean: Mapping[str, Array], factor: float, *, own: float) -> float:
    """Estimated change of the loss up to the beginning of this round; ``own`` is what this round's step adds to it."""
    change, waiting = (float(value) for value in held[_FALL])
    last = {name: held[_LAST + name] for name in mean if _LAST + name in held}
    change -= waiting + factor * sum(float((mean[name] * value).sum()) for name, value in last.items())
    held.update({_LAST + name: value for name, value in mean.items()})
    held[_FALL] = np.array([change, own])
    return change


def _added(by_trust: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    # in the order of the Trusts' names, so that a round closed again after a crash gives the same bytes
    totals: dict[str, Array] = {}
    for trust in sorted(by_trust):
        for name, value in by_trust[trust].items():
            totals[name] = totals[name] + value if name in totals else np.asarray(value, dtype=np.float64)
    return totals


def _norm(tensors: Mapping[str, Array]) -> float:
    return float(np.sqrt(sum(float(np.square(value).sum()) for value in tensors.values())))


def _as_weights(held: State, values: State) -> bytes:
    # what is trained is float32 in every graph and float64 in the state; constants stay as they came
    return _written({name: v.astype(np.float32) if _SUM + name in held else v for name, v in values.items()})


def _names(held: State) -> list[str]:
    return sorted(key.removeprefix(_NOW) for key in held if key.startswith(_NOW))


def _read(state: bytes) -> State:
    return dict(load(state))


def _written(tensors: State) -> bytes:
    return bytes(save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}))
