"""Full-batch descent as pure functions from state to state.

The loss itself is never released. But the sums of gradients that are released are slopes of the loss, of the clipped
one to be exact, and its change is the path integral along the weights' way of those slopes: an estimate that costs no
privacy, and whose bias by the noise is known and taken off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.jobs import FullBatch
from flip_sdk.mechanisms.aggregate.state import added, fall, move, norm, read, written

Array = npt.NDArray[np.float64]
_WALK, _LARGEST = 2.5, 2.0


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
    held = read(state)
    total = sum(max(1.0, persons[trust]) for trust in sums)
    mean = {name: value / (total * mechanism.max_grad_norm) for name, value in added(sums).items()}
    deviation = math.sqrt(sum(noise[trust] ** 2 for trust in sums)) / total
    size = sum(value.size for value in mean.values())
    rate = mechanism.learning_rate or automatic_rate(deviation, size, rounds)
    move(held, {name: -rate * gradient for name, gradient in mean.items()}, counts=2 * round_number > rounds)
    # over a step -l·g from w to w', the trapezoid rule: half of (slope at w + slope at w')·step. The noise in g is in
    # the step too, so that g·g is too large by its variance; the two slopes' noises are independent of each other
    half_step = 0.5 * rate * mechanism.max_grad_norm
    change = fall(held, mean, half_step, own=half_step * (norm(mean) ** 2 - size * deviation**2))
    return written(held), {"gradient_norm": norm(mean), "loss_change": change}


def automatic_rate(deviation: float, size: int, rounds: int) -> float:
    """The learning rate with which the noise of all rounds moves the weights by about 2.5, and 2 at most.

    Noise walks the weights by ``rate · deviation · sqrt(rounds · size)``. Features have a size of about 1, so weights
    of useful models have too, and noise that walks much further drowns them, while much less means that the descent
    stops short. With the preset's clip and rounds anything from 2 to 3 is within about 0.1 points of the best
    (``python -m benchmarks presets``); the average of the iterates takes most of the walk back out.

    Args:
        deviation: of the noise in each coordinate of the mean gradient, in units of the clip.
        size: how many numbers are trained.
        rounds: how many steps there are.
    """
    walk = deviation * math.sqrt(rounds * size)
    return min(_LARGEST, _WALK / walk) if walk > 0 else _LARGEST
