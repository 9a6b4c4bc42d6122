"""What programs that watch over the hub ask, and the people who run it. Programs reach these routes and no others."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from flip_sdk.contract.operating import AuditPage, Monitoring
from flip_sdk.contract.states import JOB
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from flip_hub.api.sessions import At, Number, bearer, desk_of, who_asks
from flip_hub.audit_search import exported
from flip_hub.database import AuditHead, AuditRow, Job, ReleaseRequest
from flip_hub.governance import access, trusts
from flip_hub.governance.office import Office
from flip_hub.governance.services import PREFIX, identify_service
from flip_hub.governance.sign_ins import Limits, how_many
from flip_hub.policy import Subject

router = APIRouter()
_ENDED = sorted(map(str, JOB.ends()))


async def who_or_what_asks(request: Request) -> Subject:
    """The person or the program behind a request. A program sends its token in the header, never in a cookie.

    Raises:
        NotSignedInError: neither, or the token is not good (any more).
    """
    token = bearer(request)
    if not token.startswith(PREFIX):
        return await who_asks(request)
    subject = await run_in_threadpool(identify_service, desk_of(request).office.database, token)
    request.state.subject = subject
    return subject


AskingToo = Annotated[Subject, Depends(who_or_what_asks)]


@router.get("/monitoring")
def monitoring(subject: AskingToo, office: At) -> Monitoring:
    """How the hub is doing, in numbers."""
    office.policies.authorise(subject, "monitor", access.HUB)
    with office.database.read() as session:
        return _numbers(office, session)


@router.get("/audit")
def follow_audit(
    subject: AskingToo, office: At, after: Number = 0, most: Annotated[int, Query(ge=1, le=1000)] = 500
) -> AuditPage:
    """The audit log's entries after a number, in their order, each with its hash: for a log store outside the hub."""
    office.policies.authorise(subject, "follow_audit", access.HUB)
    chosen = select(AuditRow).where(AuditRow.sequence > after).order_by(AuditRow.sequence).limit(most)
    with office.database.read() as session:
        entries = tuple(exported(row) for row in session.scalars(chosen))
    return AuditPage(entries=entries, last=entries[-1]["sequence"] if entries else after)


def _numbers(office: Office, session: Session) -> Monitoring:
    known = trusts.enrolled(session)
    head = session.scalars(select(AuditHead)).one_or_none()
    last = None if head is None else session.get(AuditRow, head.sequence)
    jobs = session.execute(select(Job.state, func.count()).where(Job.state.not_in(_ENDED)).group_by(Job.state))
    waiting = select(func.count()).select_from(ReleaseRequest).where(ReleaseRequest.open)
    return Monitoring(
        version=version("flip-hub"),
        trusts=len(known),
        trusts_online=sum(trusts.is_online(office.config, trust.seen_at) for trust in known),
        jobs={state: count for state, count in jobs},  # noqa: C416
        requests_waiting=session.scalar(waiting) or 0,
        sessions=how_many(session, Limits.of(office.config)),
        audit_entries=0 if head is None else head.sequence,
        audit_at=None if last is None else last.at,
    )
