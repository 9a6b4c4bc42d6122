"""Does this Trust agree to a verified task? Its policies on jobs (the opt-in's terms), its settings and ledger decide.

The whole job is debited at its first task, in the same transaction as the task's acceptance and their audit events, and
that transaction is on the disk before anything is computed. :class:`AcceptedTask` can be made nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flip_sdk.accounting.calibrate import calibrate, event_for
from flip_sdk.accounting.events import AnyEvent
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec
from flip_sdk.contract.records import Digest
from flip_sdk.contract.signatures import PublicKey
from flip_sdk.contract.states import TaskState
from flip_sdk.contract.tasks import RefusalCode

from flip_trust import seen, sharing, taskbook, told
from flip_trust.audit import Reader
from flip_trust.config import TrustConfig
from flip_trust.consent import Consent
from flip_trust.database import Database, Statement, Transaction
from flip_trust.errors import RefusedError
from flip_trust.job_rules import JobRules
from flip_trust.ledger import queries, store
from flip_trust.ledger.restored import is_unreconciled
from flip_trust.sharing import Sharing
from flip_trust.verify import VerifiedTask

_PROOF = object()
_KEPT_ROUNDS = 2


@dataclass(frozen=True)
class StoredRelease:
    """What was released for these inputs before: it is sent again, never computed again."""

    refusal: RefusalCode | None
    record: bytes | None
    tensors: bytes | None = field(repr=False)


@dataclass(frozen=True)
class AcceptedTask:
    """A verified task that this Trust agreed to and whose cost is in the ledger, durably.

    Attributes:
        verified: the task and its job.
        event: the ledger's event that pays for it: noise has to be exactly this. None for the step ``keys``, which
            releases no number about anybody.
        graph: the job's model graph, from this task or kept from an earlier one.
        persons: the noisy number of persons that ``prepare`` released, for the rounds after it.
        stored: a release of the same (job, step, round) for the same inputs.
        sharing: with noise shares, this Trust's key and the other Trusts'.
        floor_is_shown: for ``prepare``, whether a number told before shows the cohort to be over the floor.
    """

    verified: VerifiedTask
    event: AnyEvent | None
    graph: bytes | None = field(repr=False)
    persons: float | None
    stored: StoredRelease | None
    sharing: Sharing | None
    floor_is_shown: bool
    _proof: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Only :func:`admit` may make one."""
        if self._proof is not _PROOF:
            raise TypeError("an AcceptedTask is made by admit alone")


@dataclass(frozen=True)
class Grounds:
    """What admission asks of other parts: facts that are no patient's.

    Attributes:
        check_concepts: raises RefusedError for a concept the Trust's concept table does not have.
        check_model: raises RefusedError for a model graph that breaks a rule or is too large.
        kept_graph: the graph kept for a job, by its digest.
        sandboxed: whether engine workers run in a sandbox on this machine.
        identity: this Trust's own public identity key.
        rules: the policies on jobs, the hospital's own among them.
    """

    check_concepts: Callable[[AnySpec], None]
    check_model: Callable[[bytes, AnySpec], None]
    kept_graph: Callable[[str, Digest], bytes | None]
    sandboxed: bool
    identity: PublicKey
    rules: JobRules


def admit(
    verified: VerifiedTask, *, database: Database, config: TrustConfig, grounds: Grounds, now: datetime
) -> AcceptedTask:
    """Accept a task, or refuse it; either way it is recorded with its audit event.

    Raises:
        RefusedError: the Trust does not agree; the reason is recorded.
        LedgerUnavailableError: nothing can be recorded, so nothing may be computed.
    """
    task = verified.task
    refused: RefusedError | None = None
    try:
        graph = _policy(verified, config, grounds, now)
    except RefusedError as error:
        graph, refused = None, error
    with database.transaction() as transaction:
        if taskbook.is_known(transaction, task.task_id):
            raise RefusedError(RefusalCode.REPLAYED, task.task_id, task.job_id)
        taskbook.offer(transaction, verified, queries.note(verified, now), *seen.note(verified, now))
        try:
            # first: a cancelled job's graph is deleted, and that is not the reason to give
            _check_not_cancelled(transaction, task.job_id)
            if refused:
                raise refused
            accepted = _accept(transaction, verified, config, grounds, graph, now)
        except RefusedError as error:
            taskbook.step(transaction, task.task_id, TaskState.REFUSED, refusal=error.refusal, details=error.details)
            refused = RefusedError(error.refusal, task.task_id, task.job_id)
    if refused:
        raise refused
    return accepted


def require_live(reader: Reader, accepted: AcceptedTask, rules: JobRules, now: datetime) -> None:
    """Check again, just before a release: the steward may have paused, or the job may have been cancelled.

    Raises:
        RefusedError: the result stays here.
    """
    task = accepted.verified.task
    rules.require(reader, accepted.verified.job, now, begun=True)
    sharing.require_confirmed(reader, accepted.verified)
    _check_not_cancelled(reader, task.job_id)


def _policy(verified: VerifiedTask, config: TrustConfig, grounds: Grounds, now: datetime) -> bytes | None:
    """The Trust's own rules that need no ledger. Returns the model graph to work with."""
    task, job, spec = verified.task, verified.job, verified.job.spec
    if task.expires_at + timedelta(seconds=config.clock_skew) <= now:
        raise RefusedError(RefusalCode.TASK_EXPIRED)
    if job.project_expires_at <= now:
        raise RefusedError(RefusalCode.PROJECT_EXPIRED)
    if _epsilon(spec) > config.max_epsilon_per_job:
        raise RefusedError(RefusalCode.EPSILON_OVER_CAP)
    has_model = isinstance(spec, TrainSpec | EvaluateSpec)
    if has_model and config.production and not grounds.sandboxed:
        raise RefusedError(RefusalCode.SANDBOX_MISSING)
    grounds.check_concepts(spec)
    return _model(verified, config, grounds) if has_model else None


def _model(verified: VerifiedTask, config: TrustConfig, grounds: Grounds) -> bytes | None:
    task, spec = verified.task, verified.job.spec
    if not isinstance(spec, TrainSpec | EvaluateSpec):
        return None
    graph = verified.graph or grounds.kept_graph(task.job_id, spec.model.graph)
    if graph is None and task.step not in ("keys", "prepare"):
        raise RefusedError(RefusalCode.GRAPH_MISSING)
    if len(graph or b"") + len(verified.weights or b"") > config.max_model_bytes:
        raise RefusedError(RefusalCode.MODEL_TOO_LARGE)
    if graph is not None:
        grounds.check_model(graph, spec)
    return graph


def _epsilon(spec: AnySpec) -> float:
    return spec.privacy.epsilon if isinstance(spec, TrainSpec) else spec.epsilon


def _accept(
    transaction: Transaction,
    verified: VerifiedTask,
    config: TrustConfig,
    grounds: Grounds,
    graph: bytes | None,
    now: datetime,
) -> AcceptedTask:
    task, spec = verified.task, verified.job.spec
    if is_unreconciled(transaction):
        raise RefusedError(RefusalCode.CONSENT_PAUSED)
    job = _job(transaction, task.job_id)
    agreed = grounds.rules.require(transaction, verified.job, now, begun=bool(job))
    if job and job["spec"] != spec.digest():
        # the debit was for what the job was then; governance has no second version of it
        raise RefusedError(RefusalCode.BAD_RECORD)
    stored = _stored(transaction, verified)
    taken: tuple[Statement, ...] = ()
    if stored is None and config.repeat_answers and (before := queries.given_before(transaction, verified, now)):
        stored, taken = _release_of(before), queries.answered_as(verified, before, now)
    persons = job.get("persons")
    if task.step == "train" and not stored:
        _check_prepared(transaction, task.job_id, persons)
    shared = sharing.join(transaction, verified, grounds.identity)
    event = event_for(spec, task.step, len(verified.job.trusts)) if task.step != "keys" else None
    if shared and event and not stored:
        sharing.check_try(transaction, verified, event)
    # what was released before is sent once more: it tells nothing new, and costs nothing
    repeated = bool(taken) or queries.is_repeated(transaction, task.job_id)
    if not repeated and not store.is_debited(transaction, task.job_id):
        _debit(transaction, verified, agreed, config)
    new = (*(_first_task(verified) if not job else ()), *(shared.new if shared else ()), *taken)
    new += seen.modelled(verified.graph)
    shown = isinstance(spec, TrainSpec) and task.step == "prepare" and told.shows_floor(transaction, spec, config)
    details = sharing.described(shared) | ({"floor": "shown by a number told before"} if shown else {})
    details |= {"answer": "as given before"} if taken else {}
    taskbook.step(transaction, task.task_id, TaskState.ACCEPTED, *new, _forget_older_rounds(verified), details=details)
    return AcceptedTask(verified, event, graph, persons, stored, shared, shown, _PROOF)


def _job(reader: Reader, job_id: str) -> dict[str, Any]:
    rows = reader.read("SELECT * FROM job WHERE job_id = ?", (job_id,))
    return rows[0] if rows else {}


def _check_not_cancelled(reader: Reader, job_id: str) -> None:
    if _job(reader, job_id).get("state") == "cancelled":
        raise RefusedError(RefusalCode.CANCELLED)


def _stored(reader: Reader, verified: VerifiedTask) -> StoredRelease | None:
    task = verified.task
    rows = reader.read(
        "SELECT * FROM release WHERE job_id = ? AND step = ? AND round = ? AND attempt = ?",
        (task.job_id, task.step, task.round, task.sum_attempt),
    )
    if not rows:
        return None
    release = _release_of(rows[0])
    if rows[0]["inputs"] != verified.inputs or (release.refusal is None and release.record is None):
        raise RefusedError(RefusalCode.OUT_OF_ORDER)
    return release


def _release_of(row: dict[str, Any]) -> StoredRelease:
    return StoredRelease(RefusalCode(row["refusal"]) if row["refusal"] else None, row["record"], row["tensors"])


def _check_prepared(reader: Reader, job_id: str, persons: object) -> None:
    """Rounds come after ``prepare``, and a cohort that was too small for it is too small for them."""
    rows = reader.read("SELECT refusal FROM release WHERE job_id = ? AND step = 'prepare'", (job_id,))
    if rows and rows[0]["refusal"]:
        raise RefusedError(RefusalCode(rows[0]["refusal"]))
    if not rows or persons is None:
        raise RefusedError(RefusalCode.OUT_OF_ORDER)


def _debit(transaction: Transaction, verified: VerifiedTask, agreed: Consent, config: TrustConfig) -> None:
    task, debits = verified.task, calibrate(verified.job.spec, len(verified.job.trusts))
    of_project = store.covers(transaction, debits, agreed.terms.cap, task.project_id)
    if not (of_project and store.covers(transaction, debits, config.total)):
        raise RefusedError(RefusalCode.BUDGET_EXCEEDED)
    # an exchange of keys releases nothing about anybody: where it comes to nothing, nothing was spent
    if task.step != "keys":
        store.debit(transaction, task.project_id, task.job_id, debits, "admission")


def _first_task(verified: VerifiedTask) -> tuple[Statement]:
    job, spec = verified.job, verified.job.spec
    moment = datetime.now(UTC).isoformat()
    values = (job.job_id, spec.project_id, spec.kind, spec.digest(), moment, job.expires_at.astimezone(UTC).isoformat())
    return (("INSERT INTO job VALUES (?, ?, ?, ?, 'running', NULL, ?, ?)", values),)


def _forget_older_rounds(verified: VerifiedTask) -> Statement:
    """Tensors of rounds long past are no longer asked for; that they were released stays known."""
    task = verified.task
    return (
        "UPDATE release SET tensors = NULL, record = NULL WHERE job_id = ? AND step = 'train' AND round <= ?",
        (task.job_id, task.round - _KEPT_ROUNDS),
    )
