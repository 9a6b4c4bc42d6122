"""What waits for an output checker, the riskiest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flip_sdk.contract.states import IngressState
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from flip_hub.airlock.access import item_of, request_item
from flip_hub.airlock.decisions import waits_for
from flip_hub.airlock.views import is_disputed
from flip_hub.database import Ingress, Output, Project, ReleaseRequest
from flip_hub.governance.access import HUB, organisations_of
from flip_hub.governance.office import Office
from flip_hub.governance.when import STATES_OF_ACTION, state_of
from flip_hub.policy import Subject

_GRAVITY = {"pass": 0, "flag": 1, "block": 2}


@dataclass(frozen=True)
class Waiting:
    """A request in a checker's queue.

    Attributes:
        files: how many files of it are to leave.
        waiting: how many of them wait for this checker.
        flagged: how many of those a check flagged.
        disputed: how many of those two others disagree on.
        checking: its checks run.
    """

    request_id: str
    project_id: str
    title: str
    purpose: str
    requested_by: str
    requested_at: datetime
    files: int
    waiting: int
    flagged: int
    disputed: int
    checking: bool


def queue(office: Office, session: Session, subject: Subject) -> list[Waiting]:
    """Open requests that this checker may decide on: first those that wait for them, the riskiest first.

    Raises:
        DeniedError: no output checker.
    """
    office.policies.authorise(subject, "check_outputs", HUB)
    chosen = select(ReleaseRequest).where(ReleaseRequest.open)
    together = selectinload(ReleaseRequest.outputs).selectinload(Output.decisions)
    rows = session.scalars(chosen.options(together)).all()
    # held in the session, and looked up there below
    chosen_projects = select(Project).where(Project.project_id.in_({row.project_id for row in rows}))
    held = session.scalars(chosen_projects.options(selectinload(Project.reviews))).all()
    members = (name for project in held for name in project.members)
    known = organisations_of(session, (*members, *(row.requested_by for row in rows)))
    timely = [row for row in rows if _is_time(session, "review_release", row.project_id)]
    targets = [request_item(session, row, known) for row in timely]
    allowed = office.policies.allowed(subject, "review_release", targets) if targets else []
    found = [_waiting(session, subject, row) for row, may in zip(timely, allowed, strict=True) if may]
    return sorted(found, key=lambda w: (not w.waiting, -w.disputed, -w.flagged, w.requested_at))


def ingress_queue(office: Office, session: Session, subject: Subject) -> list[Ingress]:
    """Files on their way in that this person may decide on, oldest first."""
    chosen = select(Ingress).where(Ingress.state == IngressState.CHECKED).order_by(Ingress.requested_at)
    found = []
    for row in session.scalars(chosen):
        target = item_of(session, session.get_one(Project, row.project_id), row.ingress_id, row.requested_by)
        is_time = _is_time(session, "review_ingress", row.project_id)
        if is_time and office.policies.decide(subject, "review_ingress", target).allowed:
            found.append(row)
    return found


def by_risk(outputs: list[Output], subject: Subject) -> list[Output]:
    """Files of one request: those that wait for this checker first, the riskiest of them first."""
    return sorted(outputs, key=lambda output: _risk(output, subject))


def _is_time(session: Session, action: str, project_id: str) -> bool:
    """Nothing of a suspended or closed project waits for anybody."""
    return state_of(session.get_one(Project, project_id)) in STATES_OF_ACTION[action]


def _risk(output: Output, subject: Subject) -> tuple[bool, bool, bool, int, int, int]:
    examined = output.examined
    gravity = _GRAVITY[examined.verdict] if examined else 0
    findings = sum(finding.severity != "note" for finding in examined.findings) if examined else 0
    leaves = output.statement.leaves
    return not leaves, not waits_for(output, subject), not is_disputed(output), -gravity, -findings, output.place


def _waiting(session: Session, subject: Subject, row: ReleaseRequest) -> Waiting:
    mine = [output for output in row.outputs if waits_for(output, subject)]
    return Waiting(
        request_id=row.request_id,
        project_id=row.project_id,
        title=session.get_one(Project, row.project_id).application.title,
        purpose=row.purpose,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        files=sum(output.statement.leaves for output in row.outputs),
        waiting=len(mine),
        flagged=sum(output.examined is not None and output.examined.verdict != "pass" for output in mine),
        disputed=sum(map(is_disputed, mine)),
        checking=row.checked_at is None,
    )
