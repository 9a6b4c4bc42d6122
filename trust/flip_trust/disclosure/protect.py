"""From an exact result to one that may leave: noise, floors, rounding and bounds. Nothing leaves without this.

The noise is the one that the ledger was debited for, at the sensitivity that the job itself gives, never at one that
the engine reports. :class:`ProtectedUpdate` can be made nowhere else, and ``egress`` takes nothing less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
from flip_sdk.accounting.events import Gaussian, PoissonGaussian, Pure
from flip_sdk.contract import prepare
from flip_sdk.contract.graph import parse_graph
from flip_sdk.contract.inputs import released_scores
from flip_sdk.contract.jobs import (
    DPSGD,
    CountSpec,
    EvaluateSpec,
    FullBatch,
    StatisticsSpec,
    SufficientStatistics,
    TrainSpec,
)
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import MAX_UPDATE_BYTES, PrivacyClaim, RefusalCode, SafeUpdate
from flip_sdk.errors import ModelError, RecordError, SecureSumError
from flip_sdk.mechanisms.floors import laplace_threshold
from flip_sdk.mechanisms.moments import SENSITIVITY_OF_STATISTICS, statistics_shapes
from flip_sdk.mechanisms.noise import add_gaussian, discrete_laplace
from flip_sdk.secure_sum.layout import layout_of
from safetensors.numpy import save

from flip_trust.admission import AcceptedTask
from flip_trust.config import TrustConfig
from flip_trust.disclosure.floors import over_floor
from flip_trust.disclosure.shares import masked_share
from flip_trust.disclosure.statistics import noisy_answer
from flip_trust.engine.records import RawUpdate
from flip_trust.errors import DisclosureError, RefusedError

_PROOF = object()
Tensors = dict[str, npt.NDArray[np.float64]]
Masked = dict[str, npt.NDArray[np.uint64]]


@dataclass(frozen=True)
class ProtectedUpdate:
    """A result that may leave.

    Attributes:
        update: the record, to be signed by ``egress``.
        tensors: safetensors blob; None where the result is suppressed.
        persons: the noisy number of persons (``prepare`` and ``count``), for what comes after it.
    """

    update: SafeUpdate
    tensors: bytes | None = field(repr=False)
    persons: float | None
    _proof: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Only this module may make one."""
        if self._proof is not _PROOF:
            raise TypeError("a ProtectedUpdate is made by protect alone")


def protect(accepted: AcceptedTask, raw: RawUpdate, config: TrustConfig, now: datetime) -> ProtectedUpdate:
    """Protect one result as its task's step demands.

    Raises:
        RefusedError: COHORT_TOO_SMALL, by the noisy count.
        DisclosureError: the engine's result is not what was asked for.
    """
    spec, step = accepted.verified.job.spec, accepted.verified.task.step
    _check_finite(raw)
    match spec:
        case CountSpec():
            return _count(accepted, raw, config, now)
        case EvaluateSpec():
            return _histogram(accepted, spec, raw, config, now)
        case StatisticsSpec():
            return _sealed(accepted, *noisy_answer(accepted, spec, raw, config), now)
        case TrainSpec() if accepted.sharing is not None:
            return _share(accepted, spec, raw, config, now)
        case TrainSpec() if step == "prepare":
            return _statistics(accepted, spec, raw, config, now)
        case TrainSpec():
            return _training(accepted, spec, raw, now)


def noisy_persons(exact: int, epsilon: float, config: TrustConfig) -> int | None:
    """A number of distinct persons as it may be told: noised, rounded, and None under the floor."""
    noisy = int(discrete_laplace(np.array([exact], dtype=np.int64), 1 / epsilon)[0])
    if noisy < laplace_threshold(config.floor, epsilon):
        return None
    return config.rounding * round(noisy / config.rounding)


def repeat(accepted: AcceptedTask, record: bytes, tensors: bytes | None, now: datetime) -> ProtectedUpdate:
    """What was released before for the same inputs, or for the same question, under the new task's id.

    Raises:
        DisclosureError: the stored release is not whole.
    """
    try:
        update = SafeUpdate.parse(record)
    except RecordError as error:
        raise DisclosureError("the stored record is not whole") from error
    if (digest(tensors) if tensors is not None else None) != update.tensors:
        raise DisclosureError("the stored tensors are not whole")
    task = accepted.verified.task
    # an earlier job's answer bears the inputs of the task that it answers now: the hub takes no other
    told = {"task_id": task.task_id, "job_id": task.job_id, "inputs": accepted.verified.inputs, "issued_at": now}
    fresh = update.model_copy(update=told)
    return ProtectedUpdate(fresh, tensors, None, _PROOF)


def _count(accepted: AcceptedTask, raw: RawUpdate, config: TrustConfig, now: datetime) -> ProtectedUpdate:
    event = _pure(accepted)
    exact = _tensor(raw, "persons", (1,))
    persons = noisy_persons(int(exact[0]), event.epsilon, config)
    claim = PrivacyClaim(mechanism="discrete_laplace", epsilon=event.epsilon)
    tensors = {"persons": np.array([persons], dtype=np.float64)} if persons is not None else None
    return _sealed(accepted, tensors, claim, now, persons)


def _histogram(
    accepted: AcceptedTask, spec: EvaluateSpec, raw: RawUpdate, config: TrustConfig, now: datetime
) -> ProtectedUpdate:
    event = _pure(accepted)
    name, shape = released_scores(spec)
    exact = _tensor(raw, name, shape)
    noisy = discrete_laplace(exact.astype(np.int64), 1 / event.epsilon)
    if noisy.sum() < laplace_threshold(config.floor, event.epsilon, cells=noisy.size):
        raise RefusedError(RefusalCode.COHORT_TOO_SMALL)
    claim = PrivacyClaim(mechanism="discrete_laplace", epsilon=event.epsilon)
    return _sealed(accepted, {name: noisy.astype(np.float64)}, claim, now)


def _statistics(
    accepted: AcceptedTask, spec: TrainSpec, raw: RawUpdate, config: TrustConfig, now: datetime
) -> ProtectedUpdate:
    event, features, sensitivity = _gaussian_event(accepted), len(spec.features), prepare.sensitivity(spec)
    exact = {"persons": _tensor(raw, "persons", (1,))}
    if spec.privacy.scaling == "dp_statistics":
        exact |= {name: _tensor(raw, name, (features,)) for name in ("sum", "sum_of_squares")}
    _check_sensitivity(raw, sensitivity)
    scale = event.noise_multiplier * sensitivity
    noisy = _with_noise(exact, scale)
    weight = prepare.weight_of_count(spec)
    noisy["persons"] /= weight
    persons = over_floor(float(noisy["persons"][0]), scale / weight, accepted, config.floor)
    noisy["persons"][0] = persons
    return _sealed(accepted, noisy, _claim(event, rounds=1), now, persons)


def _share(
    accepted: AcceptedTask, spec: TrainSpec, raw: RawUpdate, config: TrustConfig, now: datetime
) -> ProtectedUpdate:
    """A part of a sum over Trusts: the same numbers as without, but masked, and with a share of the noise."""
    try:
        parameters = _parameters(accepted) if accepted.verified.task.step == "train" else {}
        layout = layout_of(spec, accepted.verified.task.step, parameters)
    except SecureSumError as error:
        raise DisclosureError("this mechanism has no rule for what may leave") from error
    _check_sensitivity(raw, layout.sensitivity)
    exact = {name: _tensor(raw, name, shape) for name, shape in layout.shapes.items()}
    share = masked_share(accepted, spec, exact, layout, config.floor)
    return _sealed(accepted, share.tensors, share.claim, now, share.persons)


def _training(accepted: AcceptedTask, spec: TrainSpec, raw: RawUpdate, now: datetime) -> ProtectedUpdate:
    shapes, mechanism = _parameters(accepted), spec.privacy.mechanism
    if isinstance(mechanism, SufficientStatistics):
        shapes = statistics_shapes(len(spec.features), shapes)
    if set(raw.tensors) != set(shapes):
        raise DisclosureError("the result's tensors are not the model's parameters")
    tensors = {name: _tensor(raw, name, shape) for name, shape in shapes.items()}
    event = accepted.event
    if isinstance(mechanism, DPSGD):
        if not raw.noised or not isinstance(event, PoissonGaussian):
            raise DisclosureError("DP-SGD has to come with its noise inside")
        return _sealed(accepted, tensors, _claim(event, rounds=spec.rounds), now)
    sensitivity = mechanism.max_grad_norm if isinstance(mechanism, FullBatch) else SENSITIVITY_OF_STATISTICS
    _check_sensitivity(raw, sensitivity)
    event = _gaussian_event(accepted)
    noisy = _with_noise(tensors, event.noise_multiplier * sensitivity)
    return _sealed(accepted, noisy, _claim(event, rounds=spec.rounds), now)


def _with_noise(exact: Tensors, scale: float) -> Tensors:
    return {name: add_gaussian(value, scale) for name, value in exact.items()}


def _claim(event: Gaussian | PoissonGaussian, *, rounds: int) -> PrivacyClaim:
    return PrivacyClaim(
        mechanism=event.mechanism,
        noise_multiplier=event.noise_multiplier,
        sampling_rate=event.sampling_rate if isinstance(event, PoissonGaussian) else None,
        steps=event.steps // rounds,
    )


def _sealed(
    accepted: AcceptedTask,
    tensors: Tensors | Masked | None,
    claim: PrivacyClaim,
    now: datetime,
    persons: float | None = None,
) -> ProtectedUpdate:
    task = accepted.verified.task
    blob = bytes(save(tensors)) if tensors is not None else None
    if blob is not None and len(blob) > MAX_UPDATE_BYTES:
        raise DisclosureError("the result is larger than an update may be")
    update = SafeUpdate(
        task_id=task.task_id,
        job_id=task.job_id,
        trust=task.trust,
        step=task.step,
        round=task.round,
        inputs=accepted.verified.inputs,
        tensors=digest(blob) if blob is not None else None,
        suppressed=blob is None,
        claim=claim,
        issued_at=now,
    )
    return ProtectedUpdate(update, blob, persons, _PROOF)


def _parameters(accepted: AcceptedTask) -> dict[str, tuple[int, ...]]:
    try:
        record = parse_graph(accepted.graph or b"")
    except ModelError as error:
        raise DisclosureError("there is no model graph to compare the result with") from error
    return {name: weight.shape for name, weight in record.parameters.items()}


def _tensor(raw: RawUpdate, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    value = raw.tensors.get(name)
    if value is None or value.shape != shape:
        raise DisclosureError("a tensor is missing or has another shape than was asked for")
    return np.asarray(value, dtype=np.float64)


def _check_finite(raw: RawUpdate) -> None:
    if not all(bool(np.isfinite(value).all()) for value in raw.tensors.values()):
        raise DisclosureError("the result has numbers that are not finite")


def _check_sensitivity(raw: RawUpdate, expected: float) -> None:
    if raw.noised or not math.isclose(raw.sensitivity, expected, rel_tol=1e-9):
        raise DisclosureError("the result was not bounded as the job asks")


def _pure(accepted: AcceptedTask) -> Pure:
    if not isinstance(accepted.event, Pure):
        raise DisclosureError("the ledger was debited for another mechanism")
    return accepted.event


def _gaussian_event(accepted: AcceptedTask) -> Gaussian:
    if not isinstance(accepted.event, Gaussian):
        raise DisclosureError("the ledger was debited for another mechanism")
    return accepted.event
