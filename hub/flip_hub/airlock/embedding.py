"""Who may embed a dashboard is part of what its checkers decide on: the checks tell them, and they say why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flip_sdk.contract.airlock import Examined, Finding, OutputStatement, verdict_of
from sqlalchemy.orm import Session

from flip_hub.dashboards.versions import asked_for


def with_embedding(
    session: Session,
    project_id: str,
    statements: Sequence[OutputStatement],
    examined: Sequence[Examined],
    asked_at: datetime,
) -> tuple[Examined, ...]:
    """What the checks found, and a flag on each dashboard that other web pages are to embed."""
    by_path = {statement.path: statement for statement in statements if statement.dashboard}
    return tuple(
        _flagged(one, frames) if (frames := _frames(session, project_id, by_path.get(one.path), asked_at)) else one
        for one in examined
    )


def _frames(
    session: Session, project_id: str, statement: OutputStatement | None, asked_at: datetime
) -> tuple[str, ...]:
    row = asked_for(session, project_id, statement, asked_at) if statement else None
    return tuple(row.frames) if row else ()


def _flagged(examined: Examined, frames: tuple[str, ...]) -> Examined:
    finding = Finding(
        rule="dashboard.embedded",
        severity="flag",
        message=f"Released to everybody, its page may be shown inside pages of {', '.join(frames)}.",
        mend="Publish it without frames=… where nobody is to embed it.",
    )
    findings = (*examined.findings, finding)
    return examined.model_copy(update={"findings": findings, "verdict": verdict_of(findings)})
