"""Tables of what runs: jobs, tasks, updates, checkpoints, results and models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.jobs import AnySpec, parse_spec
from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flip_hub.database.base import DIGEST, LINE, NAME, TOKEN, Base
from flip_hub.database.columns import RecordText


class Job(Base):
    """A job. Governance leaves it in ``signed_off`` with its ``signed_job``, or for a person in ``validated``.

    Attributes:
        trusts: the Trusts it was signed off for, and no others.
        signed_job: compact JWS of ``contract.tasks.SignedOffJob`` by the governance key; empty before sign-off.
        reason: why it ended without a result, or what it waits for.
        cancel_requested: a person asked to stop it; the dispatcher does.
    """

    __tablename__ = "job"
    __table_args__ = (UniqueConstraint("project_id", "submitted_by", "idempotency_key"),)

    job_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), index=True)
    kind: Mapped[str] = mapped_column(NAME)
    spec: Mapped[AnySpec] = mapped_column(RecordText(parse_spec))
    spec_digest: Mapped[str] = mapped_column(DIGEST)
    state: Mapped[str] = mapped_column(NAME, index=True)
    reason: Mapped[str] = mapped_column(default="")
    round: Mapped[int] = mapped_column(default=0)
    rounds: Mapped[int] = mapped_column(default=0)
    trusts: Mapped[list[str]]
    signed_job: Mapped[str] = mapped_column(default="")
    submitted_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    idempotency_key: Mapped[str] = mapped_column(TOKEN)
    submitted_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)


class SignOff(Base):
    """A job that a person decides on: why it is not automatic, until when it waits, and what was decided.

    Attributes:
        reasons: each with its ``rule`` and its ``words``.
        decision: ``approve``, ``refuse``, or empty while nobody has decided.
    """

    __tablename__ = "sign_off"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"), primary_key=True)
    reasons: Mapped[list[dict[str, Any]]]
    decide_by: Mapped[datetime]
    decision: Mapped[str] = mapped_column(NAME, default="")
    decided_by: Mapped[str] = mapped_column(LINE, default="")
    reason: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]


class JobEventRow(Base):
    """One step of a job, as the researcher watches it. ``sequence`` counts from 1 within the job."""

    __tablename__ = "job_event"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(LINE)
    round: Mapped[int] = mapped_column(default=0)
    trust: Mapped[str | None] = mapped_column(NAME)
    words: Mapped[str] = mapped_column(default="")
    numbers: Mapped[dict[str, Any]] = mapped_column(default=dict)


class TaskRow(Base):
    """A task sent (or about to be) to one Trust. Dispatcher's own.

    ``sum_attempt`` is 0 but for rounds with noise shares.
    """

    __tablename__ = "task"
    __table_args__ = (Index(None, "job_id", "round", "trust"),)

    task_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"))
    trust: Mapped[str] = mapped_column(ForeignKey("trust.name"))
    step: Mapped[str] = mapped_column(NAME)
    round: Mapped[int]
    sum_attempt: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int]
    state: Mapped[str] = mapped_column(NAME)
    message_id: Mapped[str | None] = mapped_column(LINE)
    epoch: Mapped[str] = mapped_column(LINE, default="")
    sent_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class SharedSum(Base):
    """Which Trusts share the noise of a job's sums from this attempt on, until the next row: written when that changes.

    Attributes:
        roster: digest of their signed keys in the blob store.
    """

    __tablename__ = "shared_sum"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"), primary_key=True)
    step: Mapped[str] = mapped_column(NAME, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    roster: Mapped[str] = mapped_column(DIGEST)
    trusts: Mapped[list[str]]
    opened_at: Mapped[datetime]


class ReceivedUpdate(Base):
    """What a Trust released. ``record`` is its JWS; ``tensors`` the digest of the blob in the blob store."""

    __tablename__ = "received_update"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"), primary_key=True)
    step: Mapped[str] = mapped_column(NAME, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    trust: Mapped[str] = mapped_column(ForeignKey("trust.name"), primary_key=True)
    sum_attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=0)
    record: Mapped[str]
    tensors: Mapped[str | None] = mapped_column(DIGEST)
    received_at: Mapped[datetime]


class Checkpoint(Base):
    """A job after a round: ``state_digest`` is the optimiser's state in the blob store."""

    __tablename__ = "checkpoint"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state_digest: Mapped[str] = mapped_column(DIGEST)
    scaling: Mapped[dict[str, Any] | None]
    history: Mapped[list[dict[str, Any]]]
    at: Mapped[datetime]


class RefusalRow(Base):
    """A Trust's refusal of a job: ``code`` is a ``RefusalCode``."""

    __tablename__ = "refusal"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"), primary_key=True)
    trust: Mapped[str] = mapped_column(ForeignKey("trust.name"), primary_key=True)
    code: Mapped[str] = mapped_column(NAME)
    at: Mapped[datetime]


class ModelVersion(Base):
    """A trained model by content, with where it came from."""

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("job_id", "graph", "weights"),)

    version_id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"))
    graph: Mapped[str] = mapped_column(DIGEST)
    weights: Mapped[str] = mapped_column(DIGEST)
    lineage: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class JobResultRow(Base):
    """What a completed job released."""

    __tablename__ = "job_result"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.job_id"), primary_key=True)
    content: Mapped[JobResult] = mapped_column(RecordText(JobResult.parse))


class BlobUse(Base):
    """That a project uploaded a blob: without such a row the blob does not exist for it.

    Attributes:
        inside: whether its workspaces may read it: it was uploaded in one, or made by a job, or admitted.
        outside: whether its people may read it elsewhere: it was uploaded there, or made by a job.
    """

    __tablename__ = "blob_use"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    size: Mapped[int]
    by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    at: Mapped[datetime]
    inside: Mapped[bool] = mapped_column(default=False)
    outside: Mapped[bool] = mapped_column(default=False)
