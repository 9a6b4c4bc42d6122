"""Rounds of local DP-SGD: the Trusts' changes of the weights, put together at the hub.

FedAvg (McMahan et al., arXiv 1602.05629), FedAdam (Reddi et al., arXiv 2003.00295), FedProx (Li et al., arXiv
1812.06127), SCAFFOLD (Karimireddy et al., arXiv 1910.06378). What they need beyond the Trusts' noisy changes is
reckoned out of those, so it costs nothing: SCAFFOLD's control variates by its option II,
c⁺ = c_k - c - Δ_k / (steps · rate).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.jobs import DPSGD, FedAdam, Scaffold
from flip_sdk.mechanisms.aggregate.state import (
    DRIFT,
    FIRST,
    SECOND,
    State,
    added,
    fall,
    move,
    norm,
    read,
    written,
)

Array = npt.NDArray[np.float64]
Tensors = Mapping[str, Array]


def average(
    state: bytes,
    deltas: Mapping[str, Tensors],
    persons: Mapping[str, float],
    mechanism: DPSGD,
    *,
    round_number: int,
    rounds: int,
) -> tuple[bytes, dict[str, float]]:
    """One round: each Trust's change of the weights, weighted by its noisy persons, becomes the hub's step.

    Args:
        state: the state before.
        deltas: by Trust, new weights minus the ones it was given.
        persons: noisy persons by Trust, of every Trust of the job.
        mechanism: local steps, and how changes are put together.
        round_number: 1 … rounds. Iterates of the last half are summed up for the average.
        rounds: how many there are.

    Returns:
        The state after, and ``update_norm``: the length of the mean change; and ``loss_change``: estimated, from the
        first round's beginning to this round's. Where the loss is convex it has fallen at least as far.
    """
    held = read(state)
    total = sum(max(1.0, persons[trust]) for trust in deltas)
    shares = {
        trust: {name: value * (max(1.0, persons[trust]) / total) for name, value in delta.items()}
        for trust, delta in deltas.items()
    }
    mean = added(shares)
    way = mechanism.learning_rate * mechanism.local_steps
    if isinstance(mechanism.aggregation, Scaffold):
        _note_drift(held, deltas, len(persons), way)
    steps = _adam(held, mean, mechanism.aggregation) if isinstance(mechanism.aggregation, FedAdam) else mean
    move(held, steps, counts=2 * round_number > rounds)
    # a round's own change carries its samples' and its noise's chance in both factors; the next round's slope does not
    change = fall(held, mean, 1 / way, own=0.0)
    return written(held), {"update_norm": norm(mean), "loss_change": change}


def correction_for(state: bytes, trust: str) -> bytes | None:
    """What a Trust adds to every gradient of its next round, as safetensors: c - c_k. None before there is any."""
    held = read(state)
    common = {key.removeprefix(f"{DRIFT}/"): value for key, value in held.items() if key.startswith(f"{DRIFT}/")}
    if not common:
        return None
    own = {name: held.get(f"{DRIFT}{trust}/{name}", np.zeros(value.shape)) for name, value in common.items()}
    return written({name: (value - own[name]).astype(np.float32) for name, value in common.items()})


def _note_drift(held: State, deltas: Mapping[str, Tensors], trusts: int, way: float) -> None:
    """New control variates of the Trusts that answered, and the mean over all Trusts of the job."""
    names = sorted(next(iter(deltas.values())))
    for name in names:
        common = held.get(f"{DRIFT}/{name}", np.zeros(deltas[min(deltas)][name].shape))
        moved = np.zeros(common.shape)
        for trust in sorted(deltas):
            own = held.get(f"{DRIFT}{trust}/{name}", np.zeros(common.shape))
            new = own - common - deltas[trust][name] / way
            held[f"{DRIFT}{trust}/{name}"] = new
            moved = moved + (new - own)
        held[f"{DRIFT}/{name}"] = common + moved / trusts


def _adam(held: State, mean: Tensors, how: FedAdam) -> dict[str, Array]:
    steps = {}
    for name, change in mean.items():
        first = how.beta1 * held.get(FIRST + name, np.zeros(change.shape)) + (1 - how.beta1) * change
        second = how.beta2 * held.get(SECOND + name, np.zeros(change.shape)) + (1 - how.beta2) * np.square(change)
        held[FIRST + name], held[SECOND + name] = first, second
        steps[name] = how.learning_rate * first / (np.sqrt(second) + how.tau)
    return steps
