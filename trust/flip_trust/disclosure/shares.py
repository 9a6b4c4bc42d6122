"""A Trust's part of a sum with noise shares: its exact numbers as integers, its share of the noise, its masks.

What leaves is uniform to whoever lacks one of the masks. Only the sum over all Trusts of the task can be read, and it
carries every one's share of the noise. The floor of persons is kept by the Trust itself, on a noisy count of its own
that is paid for by its own line in the ledger and never sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from flip_sdk.accounting.calibrate import event_for
from flip_sdk.accounting.events import Gaussian, SharedGaussian
from flip_sdk.contract.jobs import TrainSpec
from flip_sdk.contract.prepare import weight_of_count
from flip_sdk.contract.tasks import PrivacyClaim
from flip_sdk.errors import SecureSumError
from flip_sdk.mechanisms.noise import add_gaussian, discrete_gaussian
from flip_sdk.secure_sum.layout import Layout
from flip_sdk.secure_sum.masking import mask
from flip_sdk.secure_sum.vector import flatten

from flip_trust.admission import AcceptedTask
from flip_trust.disclosure.floors import over_floor
from flip_trust.errors import DisclosureError

Exact = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class MaskedShare:
    """What one Trust puts into a sum.

    Attributes:
        tensors: ``masked`` (n,) uint64.
        claim: the noise in it.
        persons: the Trust's own noisy number of persons (``prepare``), which stays here.
    """

    tensors: dict[str, npt.NDArray[np.uint64]] = field(repr=False)
    claim: PrivacyClaim
    persons: float | None


def masked_share(accepted: AcceptedTask, spec: TrainSpec, exact: Exact, layout: Layout, floor: int) -> MaskedShare:
    """One Trust's part of a sum.

    Args:
        accepted: the task, with the keys that it masks with.
        spec: its job.
        exact: the Trust's exact numbers.
        layout: which numbers the sum is over.
        floor: fewest persons that a Trust takes part with.

    Raises:
        RefusedError: COHORT_TOO_SMALL, by the Trust's own noisy count.
        DisclosureError: the numbers or their noise do not fit into the sum.
    """
    sharing, event = accepted.sharing, accepted.event
    if sharing is None or sharing.context is None or not isinstance(event, SharedGaussian):
        raise DisclosureError("the ledger was debited for another mechanism")
    persons = _persons(accepted, spec, exact, floor) if accepted.verified.task.step == "prepare" else None
    try:
        encoding = layout.encoding
        integers = encoding.encode(flatten(exact, layout.shapes))
        noisy = integers + discrete_gaussian(integers.shape, encoding.deviation(event.noise_multiplier))
        trust = accepted.verified.task.trust
        masked = mask(noisy.view(np.uint64), sharing.key, sharing.publics, trust, sharing.context)
    except SecureSumError as error:
        raise DisclosureError("the numbers do not fit into the sum") from error
    claim = PrivacyClaim(
        mechanism="shared_gaussian", noise_multiplier=event.noise_multiplier, honest=event.honest, steps=1
    )
    return MaskedShare({"masked": masked}, claim, persons)


def _persons(accepted: AcceptedTask, spec: TrainSpec, exact: Exact, floor: int) -> float:
    """The noisy count that the floor is kept by: drawn once for a job, whatever is tried again."""
    if accepted.persons is not None:
        return accepted.persons
    event = event_for(spec, "floor", len(accepted.verified.job.trusts))
    if not isinstance(event, Gaussian):
        raise DisclosureError("the ledger was debited for another mechanism")
    counted = exact["persons"] / weight_of_count(spec)
    persons = float(add_gaussian(counted, event.noise_multiplier)[0])
    return over_floor(persons, event.noise_multiplier, accepted, floor)
