"""What people are shown of a release request: never another checker's decision before both have decided."""

from __future__ import annotations

from flip_sdk.contract.airlock import DecisionView, OutputView, ReleasedFile, ReleaseView
from flip_sdk.contract.states import OUTPUT, OutputState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Output, OutputDecisionRow, Release, ReleaseRequest
from flip_hub.policy import Subject

_STATES = OutputState
WAITING = frozenset({_STATES.REQUESTED, _STATES.CHECKED, _STATES.IN_REVIEW})
"""What still waits for somebody."""
_TOLD_TO_ALL = frozenset(OUTPUT.ends()) | {_STATES.RELEASED}
ENOUGH = 2
"""Decisions that agree."""


def request_view(session: Session, subject: Subject, row: ReleaseRequest, members: frozenset[str]) -> ReleaseView:
    """A request, as this person may see it.

    Args:
        session: a transaction.
        subject: who looks.
        row: the request.
        members: the project's members, and who asked: they see outcomes, and nobody's name.
    """
    released = {
        release.output_id: release
        for release in session.scalars(select(Release).where(Release.request_id == row.request_id))
    }
    before = approved_contents(session, row)
    return ReleaseView(
        request_id=row.request_id,
        project_id=row.project_id,
        purpose=row.purpose,
        audience=row.audience,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        checking=row.checked_at is None and row.open,
        open=row.open,
        outputs=tuple(
            _output_view(output, subject, members, released.get(output.output_id), before) for output in row.outputs
        ),
    )


def is_told(output: Output) -> bool:
    """Whether the decisions on a file are told: two have decided, or it is over."""
    return len(output.decisions) >= ENOUGH or output.state in _TOLD_TO_ALL


def is_disputed(output: Output) -> bool:
    """Whether two have decided, and disagree."""
    return output.state == OutputState.IN_REVIEW and len(output.decisions) >= ENOUGH


def approved_contents(session: Session, row: ReleaseRequest) -> frozenset[str]:
    """Digests of this request's files that the project released before, and did not have revoked."""
    contents = [output.content for output in row.outputs]
    chosen = select(Release.content).where(
        Release.project_id == row.project_id,
        Release.request_id != row.request_id,
        Release.content.in_(contents),
        Release.revoked_at.is_(None),
    )
    return frozenset(session.scalars(chosen))


def released_view(row: Release) -> ReleasedFile:
    """A released file."""
    return ReleasedFile(
        release_id=row.release_id,
        request_id=row.request_id,
        project_id=row.project_id,
        path=row.path,
        title=row.title,
        content=row.content,
        bytes=row.size,
        kind=row.kind,
        crate=row.crate,
        criteria=row.criteria,
        audience=row.audience,
        released_at=row.released_at,
        revoked_at=row.revoked_at,
        revoked_because=row.revoked_because,
    )


def _output_view(
    output: Output, subject: Subject, members: frozenset[str], release: Release | None, before: frozenset[str]
) -> OutputView:
    is_member = subject.name in members
    mine = [row for row in output.decisions if row.checker == subject.name]
    told = is_told(output) and not is_member
    return OutputView(
        output_id=output.output_id,
        statement=output.statement,
        state=OutputState(output.state),
        examined=output.examined,
        decided=len(output.decisions),
        disputed=is_disputed(output),
        yours=_decision(mine[0]) if mine else None,
        decisions=tuple(_decision(row) for row in output.decisions) if told else (),
        approved_before=output.content in before,
        reason=output.reason,
        released_at=release.released_at if release else None,
        release_id=release.release_id if release else None,
    )


def _decision(row: OutputDecisionRow) -> DecisionView:
    return DecisionView(
        checker=row.checker,
        decision=row.decision,
        audience=row.audience,
        reason=row.reason,
        decided_at=row.decided_at,
        changed=row.changed,
    )
