"""What a file under review is compared with by eye: the last of its name or title that was released, and reviewed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.states import OutputState
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from flip_hub.airlock.differences import Difference, difference
from flip_hub.database import Job, JobResultRow, Output, Release
from flip_hub.errors import BlobCorruptError, MissingError
from flip_hub.governance.office import Office

_REVIEWED = (OutputState.RELEASED, OutputState.WITHHELD, OutputState.REVOKED)


@dataclass(frozen=True)
class Earlier:
    """An earlier file, and how this one differs from it.

    Attributes:
        what: whether it was last released or last reviewed.
        state: what became of it.
        reason: why, where somebody said so.
    """

    what: str
    path: str
    at: datetime
    state: str
    reason: str
    difference: Difference


@dataclass(frozen=True)
class Origin:
    """A job that a file is made of: what ran where, and at what cost."""

    job_id: str
    kind: str
    state: str
    trusts: tuple[str, ...]
    spec_digest: str
    submitted_by: str
    ended_at: datetime | None
    result: JobResult | None


def earlier(office: Office, session: Session, output: Output, content: bytes) -> list[Earlier]:
    """The last of the same path or title that this project had released, and that was reviewed where it is another."""
    released = session.scalars(
        select(Release)
        .where(
            Release.project_id == output.project_id,
            Release.output_id != output.output_id,
            or_(Release.path == output.path, Release.title == output.statement.title),
        )
        .order_by(Release.sequence.desc())
        .limit(1)
    ).first()
    found = []
    if released is not None:
        before = session.get_one(Output, released.output_id)
        found.append(_compared(office, "Last released", before, output, content))
    reviewed = session.scalars(
        select(Output)
        .where(
            Output.project_id == output.project_id,
            Output.output_id != output.output_id,
            Output.path == output.path,
            Output.state.in_(_REVIEWED),
        )
        .order_by(Output.decided_at.desc())
        .limit(1)
    ).first()
    if reviewed is not None and (released is None or reviewed.output_id != released.output_id):
        found.append(_compared(office, "Last reviewed", reviewed, output, content))
    return found


def origins(session: Session, output: Output) -> list[Origin]:
    """The jobs whose results a file is made of, as its author says."""
    rows = {
        job.job_id: job
        for job in session.scalars(
            select(Job).where(Job.project_id == output.project_id, Job.job_id.in_(output.statement.jobs))
        )
    }
    return [_origin(session, rows[job_id]) for job_id in output.statement.jobs if job_id in rows]


def _origin(session: Session, job: Job) -> Origin:
    kept = session.get(JobResultRow, job.job_id)
    return Origin(
        job_id=job.job_id,
        kind=job.kind,
        state=job.state,
        trusts=tuple(job.trusts),
        spec_digest=job.spec_digest,
        submitted_by=job.submitted_by,
        ended_at=job.ended_at,
        result=kept.content if kept else None,
    )


def _compared(office: Office, what: str, before: Output, output: Output, content: bytes) -> Earlier:
    kind = output.examined.kind if output.examined else None
    try:
        found = difference(output.path, kind, office.blobs.get(before.content), content)
    except (MissingError, BlobCorruptError):
        found = Difference(False, "What is kept of the earlier file is damaged, so they are not compared.")
    at = before.decided_at or before.request.requested_at
    return Earlier(what, before.path, at, before.state, before.reason, found)
