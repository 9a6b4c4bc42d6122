"""A statistics release as it may leave: every number noised as the ledger was debited, the floor on a noisy total.

Cells are not held back one by one: each carries noise that protects it as it is, and a gap would bias every total.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from flip_sdk.accounting.events import Gaussian, Pure
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.tasks import PrivacyClaim, RefusalCode
from flip_sdk.mechanisms.floors import gaussian_threshold, laplace_threshold
from flip_sdk.mechanisms.noise import add_gaussian, discrete_laplace
from flip_sdk.mechanisms.statistics.release import CELLS, Release, release_of

from flip_trust.admission import AcceptedTask
from flip_trust.config import TrustConfig
from flip_trust.engine.records import RawUpdate
from flip_trust.errors import DisclosureError, RefusedError

Tensors = dict[str, npt.NDArray[np.float64]]


def noisy_answer(
    accepted: AcceptedTask, spec: StatisticsSpec, raw: RawUpdate, config: TrustConfig
) -> tuple[Tensors, PrivacyClaim]:
    """The noisy numbers of one release, and what it cost.

    Raises:
        RefusedError: COHORT_TOO_SMALL, by the noisy number of persons.
        DisclosureError: the result is not what was asked for, or the ledger was debited for something else.
    """
    release = release_of(spec.question)
    if {name: value.shape for name, value in raw.tensors.items()} != dict(release.shapes):
        raise DisclosureError("the sums are not the ones that were asked for")
    if raw.noised or not math.isclose(raw.sensitivity, release.sensitivity, rel_tol=1e-9):
        raise DisclosureError("the sums were not bounded as the question asks")
    match accepted.event:
        case Pure() if not release.weights:
            return _cells(accepted.event, release, raw, config)
        case Gaussian() if release.weights:
            return _sums(accepted.event, release, raw, config)
    raise DisclosureError("the ledger was debited for another mechanism")


def _cells(event: Pure, release: Release, raw: RawUpdate, config: TrustConfig) -> tuple[Tensors, PrivacyClaim]:
    # a person is once in each table: so often the noise, and so often the floor
    tables = round(release.sensitivity)
    noisy = discrete_laplace(raw.tensors[CELLS].astype(np.int64), tables / event.epsilon)
    if noisy.sum() < laplace_threshold(tables * config.floor, event.epsilon / tables, cells=noisy.size):
        raise RefusedError(RefusalCode.COHORT_TOO_SMALL)
    return {CELLS: noisy.astype(np.float64)}, PrivacyClaim(mechanism="discrete_laplace", epsilon=event.epsilon)


def _sums(event: Gaussian, release: Release, raw: RawUpdate, config: TrustConfig) -> tuple[Tensors, PrivacyClaim]:
    noise = {name: release.deviation(name, event.noise_multiplier) for name in release.weights}
    noisy = {name: add_gaussian(raw.tensors[name].astype(np.float64), deviation) for name, deviation in noise.items()}
    if noisy["persons"][0] < gaussian_threshold(config.floor, noise["persons"]):
        raise RefusedError(RefusalCode.COHORT_TOO_SMALL)
    return noisy, PrivacyClaim(mechanism="gaussian", noise_multiplier=event.noise_multiplier)
