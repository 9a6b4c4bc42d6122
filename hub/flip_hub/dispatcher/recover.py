"""A job's state, recomputed from the database: what a dispatcher that has just started knows.

Nothing here changes anything. Stored updates are verified again with the Trust's key, as if they had just come: one
that does not verify is asked for once more, and the Trust answers it from its outbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import cast

from flip_sdk.contract.jobs import AnySpec, CountSpec, EvaluateSpec, Scaling, StatisticsSpec, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import PublicKey, verify
from flip_sdk.contract.states import JobState
from flip_sdk.contract.tasks import RefusalCode, SignedOffJob, Step
from flip_sdk.errors import PublicError
from flip_sdk.mechanisms.aggregate import current_weights
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from flip_hub.database import Checkpoint, Consent, Job, Project, ReceivedUpdate, RefusalRow, SharedSum, TaskRow, Trust
from flip_hub.dispatcher import arithmetic
from flip_hub.dispatcher.accept import AcceptedKey, AcceptedUpdate, Answer, accept
from flip_hub.dispatcher.arithmetic import Progress, persons_of
from flip_hub.dispatcher.deliveries import Delivery, DeliveryState, Place
from flip_hub.dispatcher.errors import SignOffError
from flip_hub.dispatcher.facts import Facts, Round, Standing, Sum, sharing_of
from flip_hub.dispatcher.plan import CANCEL, KEYS, PREPARE, WITHOUT_GRAPH, expected_of
from flip_hub.dispatcher.statistics import statistics_round
from flip_hub.dispatcher.summing import persons_of_all, sum_of
from flip_hub.dispatcher.tensors import Shapes, shapes_of
from flip_hub.errors import HubError
from flip_hub.models import BlobStore


@dataclass(frozen=True)
class Recovered:
    """A job and the bytes that go with it.

    Attributes:
        weights: what travels with the current round; None where nothing does.
        parameters: names and shapes of the model's parameters.
        updates: the current round's, by Trust.
        keys: with noise shares, the Trusts' fresh keys while they are collected.
        roster: with noise shares, all of them together: it travels with every task after that.
        persons: noisy person counts out of ``prepare``, by Trust; with noise shares, of all together.
    """

    facts: Facts
    progress: Progress | None = None
    weights: bytes | None = field(default=None, repr=False)
    parameters: Shapes = field(default_factory=dict)
    updates: dict[str, AcceptedUpdate] = field(default_factory=dict, repr=False)
    keys: dict[str, AcceptedKey] = field(default_factory=dict)
    roster: bytes = field(default=b"", repr=False)
    persons: dict[str, float] = field(default_factory=dict)

    def with_updates(self, answers: Iterable[Answer]) -> Recovered:
        """The same, once these have come and are stored."""
        updates = [a for a in answers if isinstance(a, AcceptedUpdate)]
        keys = {a.trust: a for a in answers if isinstance(a, AcceptedKey)}
        new = {u.trust: u for u in updates if u.place == self.facts.round.place}
        persons = persons_of(u for u in updates if u.place == PREPARE.place)
        return replace(self, updates=self.updates | new, keys=self.keys | keys, persons=self.persons | persons)

    def next_round(self, progress: Progress) -> Recovered:
        """The same, once a round has closed and its checkpoint is stored."""
        round_, weights = round_after(self.facts.spec, progress, self.facts.sums)
        round_ = replace(round_, corrections=arithmetic.corrections(progress, self.facts.job))
        persons = persons_of_all(progress.history) if round_.sum else self.persons
        return replace(self._at(round_), progress=progress, weights=weights, persons=persons)

    def correction(self, trust: str) -> bytes:
        """A Trust's drift correction in the current round; empty where it has none."""
        return arithmetic.correction(self.progress, self.facts.spec, trust) or b""

    def summing(self, roster: bytes) -> Recovered:
        """The same, once the sum that comes next is stored: the first one, or one more try."""
        last = self.facts.sums[-1]
        round_ = PREPARE if self.facts.round.step == "keys" else self.facts.round
        return replace(self._at(replace(round_, sum=last)), roster=roster)

    def _at(self, round_: Round) -> Recovered:
        kept = tuple(d for d in self.facts.deliveries if d.step in {"prepare", "cancel"})
        facts = replace(self.facts, round=round_, answered=frozenset(), deliveries=kept)
        return replace(self, facts=facts, updates={}, keys={})


def recover(session: Session, blobs: BlobStore, job_id: str, governance: PublicKey) -> Recovered:
    """Read one job.

    Raises:
        SignOffError: its sign-off does not verify or is for something else, or a blob it needs is not here.
    """
    job = session.get_one(Job, job_id)
    signed = verified_job(job, governance)
    try:
        return _recovered(session, blobs, job, signed)
    except (PublicError, HubError) as error:
        raise SignOffError(f"what the job needs cannot be read: {error}") from error


def verified_job(job: Job, governance: PublicKey) -> SignedOffJob:
    """What governance signed, which is what counts; the row beside it has to agree.

    Raises:
        SignOffError: it does not verify, or is for another job.
    """
    try:
        signed = verify(job.signed_job, governance, SignedOffJob)
    except PublicError as error:
        raise SignOffError("the job's sign-off does not verify with the governance key") from error
    if signed.job_id != job.job_id or signed.spec.digest() != job.spec_digest:
        raise SignOffError("the job's sign-off is for another job")
    return signed


def _recovered(session: Session, blobs: BlobStore, job: Job, signed: SignedOffJob) -> Recovered:
    progress, sums = _progress(session, blobs, job), _sums(session, job)
    round_, weights = current_round(signed.spec, progress, sums, blobs)
    round_ = replace(round_, corrections=arithmetic.corrections(progress, signed))
    spec = signed.spec
    parameters = shapes_of(blobs.get(spec.model.graph)) if isinstance(spec, TrainSpec | EvaluateSpec) else {}
    facts = replace(_facts(session, job, signed, round_), sums=sums)
    answers = _stored(session, blobs, facts, parameters, round_)
    before = _stored(session, blobs, facts, parameters, PREPARE) if round_.step == "train" and not round_.sum else {}
    prepared = {a.trust for a in (*answers, *before) if a.place[0] == "prepare"}
    known = replace(facts, answered=frozenset(a.trust for a in answers), prepared=frozenset(prepared))
    persons = persons_of_all(progress.history) if progress and round_.sum else {}
    roster = blobs.get(round_.sum.roster) if round_.sum else b""
    held = Recovered(known, progress, weights, parameters, roster=roster, persons=persons)
    return held.with_updates((*answers, *before))


def current_round(
    spec: AnySpec, progress: Progress | None, sums: tuple[Sum, ...], blobs: BlobStore
) -> tuple[Round, bytes | None]:
    """The round after the last checkpoint, and the weights that travel with it."""
    match spec:
        case CountSpec():
            return Round("count", 0), None
        case EvaluateSpec():
            return Round("evaluate", 0, spec.model.weights, spec.scaling), blobs.get(spec.model.weights)
        case StatisticsSpec():
            return statistics_round(progress)
        case TrainSpec() if progress is not None:
            return training_round(progress, sums)
        case TrainSpec() if sharing_of(spec) is not None and not sums:
            return KEYS, None
        case TrainSpec():
            return replace(PREPARE, sum=sum_of(sums, "prepare", 0)), None


def round_after(spec: AnySpec, progress: Progress, sums: tuple[Sum, ...]) -> tuple[Round, bytes | None]:
    """The round that follows a checkpoint."""
    return statistics_round(progress) if isinstance(spec, StatisticsSpec) else training_round(progress, sums)


def training_round(progress: Progress, sums: tuple[Sum, ...]) -> tuple[Round, bytes]:
    """The round that follows a checkpoint: the same one however often it is asked for."""
    weights, number = current_weights(progress.state), progress.round + 1
    return Round("train", number, digest(weights), progress.scaling, sum_of(sums, "train", number)), weights


def _sums(session: Session, job: Job) -> tuple[Sum, ...]:
    # the step prepare comes before the step train by its name as well
    place = (SharedSum.step, SharedSum.round, SharedSum.attempt)
    rows = session.scalars(select(SharedSum).where(SharedSum.job_id == job.job_id).order_by(*place))
    return tuple(Sum(_step(row.step), row.round, row.attempt, row.roster, tuple(row.trusts)) for row in rows)


def _progress(session: Session, blobs: BlobStore, job: Job) -> Progress | None:
    chosen = select(Checkpoint).where(Checkpoint.job_id == job.job_id).order_by(Checkpoint.round.desc()).limit(1)
    row = session.scalars(chosen).one_or_none()
    if row is None:
        return None
    scaling = None if row.scaling is None else Scaling.parse(row.scaling)
    return Progress(row.round, blobs.get(row.state_digest), scaling, tuple(row.history))


def _facts(session: Session, job: Job, signed: SignedOffJob, round_: Round) -> Facts:
    tasks = [_delivery(row) for row in session.scalars(select(TaskRow).where(TaskRow.job_id == job.job_id))]
    here = {round_.place, PREPARE.place, CANCEL.place}
    refusals = session.execute(select(RefusalRow.trust, RefusalRow.code).where(RefusalRow.job_id == job.job_id))
    return Facts(
        job=signed,
        token=job.signed_job,
        state=JobState(job.state),
        round=round_,
        cancel_requested=job.cancel_requested,
        deliveries=tuple(d for d in tasks if d.place in here),
        served=frozenset(d.trust for d in tasks if d.state is DeliveryState.ANSWERED and d.step not in WITHOUT_GRAPH),
        asked=frozenset(d.trust for d in tasks),
        refused={trust: RefusalCode(code) for trust, code in refusals},
    )


def _stored(session: Session, blobs: BlobStore, facts: Facts, parameters: Shapes, round_: Round) -> tuple[Answer, ...]:
    step, number, sum_attempt = round_.place
    chosen = (
        select(ReceivedUpdate, Trust.identity_key)
        .join(Trust, Trust.name == ReceivedUpdate.trust)
        .where(
            ReceivedUpdate.job_id == facts.job.job_id,
            ReceivedUpdate.step == step,
            ReceivedUpdate.round == number,
            ReceivedUpdate.sum_attempt == sum_attempt,
        )
    )
    found = (_verified(row, round_.place, blobs, facts, parameters) for row in session.execute(chosen))
    return tuple(answer for answer in found if answer is not None)


def _verified(
    row: Row[ReceivedUpdate, str], place: Place, blobs: BlobStore, facts: Facts, parameters: Shapes
) -> Answer | None:
    stored, key = row
    answered = [d for d in facts.of(stored.trust, place) if d.state is DeliveryState.ANSWERED]
    if not answered:
        return None
    try:
        parts = {"reply": stored.record.encode()} | _tensors(stored, blobs)
        accepted = accept(parts, PublicKey(key), expected_of(facts, answered[-1], parameters))
    except (HubError, PublicError):
        # as if it had never come: the Trust is asked again
        return None
    return accepted if isinstance(accepted, AcceptedUpdate | AcceptedKey) else None


def _tensors(stored: ReceivedUpdate, blobs: BlobStore) -> dict[str, bytes]:
    return {} if stored.tensors is None else {"tensors": blobs.get(stored.tensors)}


def _delivery(row: TaskRow) -> Delivery:
    return Delivery(
        task_id=row.task_id,
        trust=row.trust,
        step=_step(row.step),
        round=row.round,
        attempt=row.attempt,
        state=DeliveryState(row.state),
        sent_at=row.sent_at or row.expires_at,
        expires_at=row.expires_at,
        message_id=row.message_id or "",
        epoch=row.epoch,
        sum_attempt=row.sum_attempt,
    )


def _step(name: str) -> Step:
    # the dispatcher alone writes these tables
    return cast(Step, name)


def standings(session: Session, project_id: str) -> tuple[str, dict[str, Standing]]:
    """The project's state, and what the hub knows of every Trust with respect to it."""
    consents = {c.trust: c for c in session.scalars(select(Consent).where(Consent.project_id == project_id))}
    state = session.scalar(select(Project.state).where(Project.project_id == project_id)) or "unknown"
    return state, {t.name: _standing(t, consents.get(t.name)) for t in session.scalars(select(Trust))}


def _standing(trust: Trust, consent: Consent | None) -> Standing:
    bare = Standing(trust.name, trust.title, trust.identity_key, trust.active, seen_at=trust.seen_at)
    if consent is None:
        return bare
    return replace(
        bare,
        consent=consent.state,
        job_kinds=tuple(consent.job_kinds),
        trust_models=tuple(consent.trust_models),
        expires_at=consent.expires_at,
    )
