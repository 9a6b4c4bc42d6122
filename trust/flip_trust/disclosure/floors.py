"""The floor of persons of a training, kept on noisy numbers alone."""

from __future__ import annotations

from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.floors import gaussian_threshold

from flip_trust.admission import AcceptedTask
from flip_trust.errors import RefusedError


def over_floor(persons: float, deviation: float, accepted: AcceptedTask, floor: int) -> float:
    """A training's noisy number of persons, where it or a number told before shows the cohort to be over the floor.

    Args:
        persons: the job's own noisy number.
        deviation: of its Gaussian noise.
        accepted: the task.
        floor: fewest persons.

    Returns:
        The number; at least the floor, where the cohort is known to be over it and the noise alone says otherwise.

    Raises:
        RefusedError: COHORT_TOO_SMALL.
    """
    if accepted.floor_is_shown:
        return max(persons, float(floor))
    if persons < gaussian_threshold(floor, deviation):
        raise RefusedError(RefusalCode.COHORT_TOO_SMALL)
    return persons
