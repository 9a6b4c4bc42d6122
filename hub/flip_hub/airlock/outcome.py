"""What follows from checks: a file goes on to its checkers, or is blocked with all that was found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flip_sdk.contract.airlock import Examined
from flip_sdk.contract.states import OUTPUT, OutputState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.airlock.knowledge import on_the_same_data
from flip_hub.airlock.views import WAITING
from flip_hub.database import Entry, Output, Project, ReleaseRequest, also, now

_GRAVITY = {"pass": 0, "flag": 1, "block": 2}


def record(session: Session, row: ReleaseRequest, examined: Iterable[Examined]) -> dict[str, Any]:
    """Write down what checks found, in the caller's transaction. A file that was decided meanwhile stays as it is.

    Where checks that ran anew find worse than before, decisions made without that knowledge are void.

    Returns:
        Details for the audit entry.
    """
    by_path = {one.path: one for one in examined}
    blocked: list[str] = []
    void: list[str] = []
    for output in row.outputs:
        if output.state not in WAITING:
            continue
        found = by_path[output.path]
        if _is_worse(found, output.examined) and output.decisions:
            output.decisions.clear()
            void.append(output.path)
        output.examined = found
        target = _target(output, found)
        if target is not None:
            output.state = OUTPUT.step(output.state, target).target
        if output.state == OutputState.BLOCKED:
            output.reason, output.decided_at = _words(found), now()
            blocked.append(output.path)
    subject = f"release-request/{row.request_id}"
    if blocked:
        also(session, Entry("airlock", "output.blocked", subject, {"files": blocked}))
    if void:
        also(session, Entry("airlock", "output.decisions_void", subject, {"files": void}))
    row.checked_at, row.claimed_until, row.attempts = now(), None, 0
    settle(row)
    return {"files": {path: _summary(one) for path, one in by_path.items()}}


def settle(row: ReleaseRequest) -> None:
    """A request is over when nothing of it that is to leave still waits."""
    row.open = any(output.statement.leaves and output.state in WAITING for output in row.outputs)


def check_others_anew(session: Session, row: ReleaseRequest) -> None:
    """Something of this request was released: what others ask on the same data is compared with it before it leaves."""
    have_asked = session.scalars(select(ReleaseRequest.project_id).where(ReleaseRequest.open).distinct()).all()
    same = on_the_same_data(session, session.get_one(Project, row.project_id), have_asked)
    chosen = select(ReleaseRequest).where(
        ReleaseRequest.open, ReleaseRequest.project_id.in_(same), ReleaseRequest.request_id != row.request_id
    )
    for other in session.scalars(chosen):
        other.checked_at, other.claimed_until, other.attempts = None, None, 0


def _target(output: Output, found: Examined) -> OutputState | None:
    if found.verdict == "block":
        return OutputState.BLOCKED
    return OutputState.CHECKED if output.state == OutputState.REQUESTED else None


def _is_worse(found: Examined, before: Examined | None) -> bool:
    return before is not None and (
        _GRAVITY[found.verdict] > _GRAVITY[before.verdict] or _flagged(found) > _flagged(before)
    )


def _flagged(examined: Examined) -> set[str]:
    return {finding.rule for finding in examined.findings if finding.severity != "note"}


def _words(found: Examined) -> str:
    lines = [f"{f.message} {f.mend}".strip() for f in found.findings if f.severity == "block"]
    return "\n".join(lines)[:4000]


def _summary(examined: Examined) -> dict[str, Any]:
    return {"verdict": examined.verdict, "rules": sorted({finding.rule for finding in examined.findings})}
