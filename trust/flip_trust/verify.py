"""Is this really an order of the hub to this Trust? Pure: bytes, pinned keys and a clock in, a verified task out.

Nothing here reads or writes anything but its arguments. :class:`VerifiedTask` can be made nowhere else, so whoever
holds one knows that every check below was made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flip_sdk.contract.check import check
from flip_sdk.contract.jobs import (
    DPSGD,
    AnySpec,
    CountSpec,
    EvaluateSpec,
    Scaffold,
    Scaling,
    StatisticsSpec,
    TrainSpec,
)
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import verify
from flip_sdk.contract.statistics import rounds_of
from flip_sdk.contract.tasks import RefusalCode, SignedOffJob, Step, Task, inputs_digest
from flip_sdk.errors import RecordError, SignatureError

from flip_trust.errors import RefusedError
from flip_trust.keys import PinnedHub
from flip_trust.sums import check_sum

_PROOF = object()


@dataclass(frozen=True)
class VerifiedTask:
    """A task whose signatures, address, time, freshness and fit with its job were checked.

    Attributes:
        task: the order, signed by the hub's dispatcher.
        job: the job it belongs to, signed off by the hub's governance.
        inputs: what the task computes on, whatever its attempt.
        graph: model graph that came with it, if one did.
        weights: model weights that came with it, if some did.
        roster: with noise shares, the signed keys of the Trusts, not checked against this Trust's peers yet.
        correction: this Trust's drift correction (SCAFFOLD) that came with it, if one did.
    """

    task: Task
    job: SignedOffJob
    inputs: str
    graph: bytes | None = field(repr=False)
    weights: bytes | None = field(repr=False)
    roster: bytes | None = field(repr=False)
    correction: bytes | None = field(repr=False)
    _proof: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Only :func:`verify_task` may make one."""
        if self._proof is not _PROOF:
            raise TypeError("a VerifiedTask is made by verify_task alone")

    @property
    def scaling(self) -> Scaling | None:
        """The feature scaling to compute with; None for the features' public bounds."""
        spec = self.job.spec
        return spec.scaling if isinstance(spec, EvaluateSpec) else self.task.scaling


def verify_task(
    parts: Mapping[str, bytes],
    *,
    hub: PinnedHub,
    trust: str,
    now: datetime,
    seen: Callable[[str], bool],
    skew: timedelta = timedelta(seconds=30),
) -> VerifiedTask:
    """Check everything that can be checked without the Trust's own state.

    Args:
        parts: ``task``, and where they belong ``graph``, ``weights``, ``roster`` and ``correction``, as they arrived.
        hub: the keys pinned at enrolment.
        trust: this Trust's name.
        now: the time to check expiry against.
        seen: whether a task id was received before.
        skew: by how much the hub's clock and ours may differ.

    Raises:
        RefusedError: with the first reason found.
    """
    task = _signed_task(parts.get("task", b""), hub)
    try:
        job = _signed_job(task, hub)
        _check_address(task, job, trust)
        _check_time(task, job, now, skew)
        if seen(task.task_id):
            raise RefusedError(RefusalCode.REPLAYED)
        _check_fit(task, job)
        blobs = _blobs(task, parts)
    except RefusedError as refused:
        raise RefusedError(refused.refusal, task.task_id, task.job_id) from refused
    return VerifiedTask(task, job, inputs_digest(task), *blobs, _PROOF)


def _signed_task(content: bytes, hub: PinnedHub) -> Task:
    try:
        return verify(content, hub.dispatcher, Task)
    except SignatureError as error:
        raise RefusedError(RefusalCode.BAD_SIGNATURE) from error
    except RecordError as error:
        raise RefusedError(RefusalCode.BAD_RECORD) from error


def _signed_job(task: Task, hub: PinnedHub) -> SignedOffJob:
    try:
        return verify(task.job, hub.governance, SignedOffJob)
    except SignatureError as error:
        raise RefusedError(RefusalCode.BAD_SIGNATURE) from error
    except RecordError as error:
        raise RefusedError(RefusalCode.BAD_RECORD) from error


def _check_address(task: Task, job: SignedOffJob, trust: str) -> None:
    asked = job.spec.trusts
    if task.trust != trust or trust not in job.trusts or (asked and trust not in asked):
        raise RefusedError(RefusalCode.WRONG_TRUST)
    if task.job_id != job.job_id or task.project_id != job.spec.project_id:
        raise RefusedError(RefusalCode.BAD_RECORD)


def _check_time(task: Task, job: SignedOffJob, now: datetime, skew: timedelta) -> None:
    if task.issued_at > now + skew or job.issued_at > now + skew:
        raise RefusedError(RefusalCode.BAD_RECORD)
    if task.expires_at + skew <= now:
        raise RefusedError(RefusalCode.TASK_EXPIRED)
    # stopping is always allowed, even when the job's time is over
    if task.step != "cancel" and job.expires_at + skew <= now:
        raise RefusedError(RefusalCode.JOB_EXPIRED)


def _check_fit(task: Task, job: SignedOffJob) -> None:
    if task.step == "cancel":
        return
    spec = job.spec
    if job.signed_off == "person" and not job.signed_off_by:
        raise RefusedError(RefusalCode.BAD_RECORD)
    if check(spec) or not _step_fits(task, spec):
        raise RefusedError(RefusalCode.BAD_RECORD)
    if task.correction is not None and not _is_corrected(spec, task.step):
        raise RefusedError(RefusalCode.BAD_RECORD)
    check_sum(task, job)
    if isinstance(spec, TrainSpec | EvaluateSpec):
        if task.graph not in (None, spec.model.graph):
            raise RefusedError(RefusalCode.BAD_RECORD)
        if task.scaling and not len(task.scaling.shift) == len(task.scaling.scale) == len(spec.features):
            raise RefusedError(RefusalCode.BAD_RECORD)


def _step_fits(task: Task, spec: AnySpec) -> bool:
    match spec:
        case CountSpec():
            return (task.step, task.round) == ("count", 0) and not (task.graph or task.weights or task.scaling)
        case StatisticsSpec():
            inside = task.step == "statistics" and 0 <= task.round < rounds_of(spec.question)
            # coefficients travel as weights, from the second round on
            return inside and bool(task.weights) == (task.round > 0) and not (task.graph or task.scaling)
        case EvaluateSpec():
            return (
                (task.step, task.round) == ("evaluate", 0)
                and task.weights == spec.model.weights
                and task.scaling in (None, spec.scaling)
            )
        case TrainSpec():
            return _training_fits(task, spec)


def _training_fits(task: Task, spec: TrainSpec) -> bool:
    match task.step:
        case "keys":
            return True
        case "prepare":
            return task.round == 0 and task.scaling is None
        case "train":
            scaled = bool(task.scaling) or spec.privacy.scaling == "public_bounds"
            return 1 <= task.round <= spec.rounds and task.weights is not None and scaled
        case _:
            return False


def _is_corrected(spec: AnySpec, step: Step) -> bool:
    """Whether a drift correction belongs to a step."""
    mechanism = spec.privacy.mechanism if isinstance(spec, TrainSpec) else None
    return step == "train" and isinstance(mechanism, DPSGD) and isinstance(mechanism.aggregation, Scaffold)


def _blobs(task: Task, parts: Mapping[str, bytes]) -> tuple[bytes | None, bytes | None, bytes | None, bytes | None]:
    graph, weights, roster, correction = (parts.get(name) for name in ("graph", "weights", "roster", "correction"))
    if (digest(correction) if correction is not None else None) != task.correction:
        raise RefusedError(RefusalCode.BAD_RECORD)
    if (task.weights is None) != (weights is None) or (graph is not None and task.graph is None):
        raise RefusedError(RefusalCode.BAD_RECORD)
    for named, content in ((task.graph, graph), (task.weights, weights)):
        if content is not None and digest(content) != named:
            raise RefusedError(RefusalCode.BAD_RECORD)
    if (digest(roster) if roster is not None else None) != task.roster:
        raise RefusedError(RefusalCode.ROSTER_REFUSED)
    return graph, weights, roster, correction
