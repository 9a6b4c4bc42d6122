"""Searching the audit log: newest first, page by page from a number on: the last page costs as the first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flip_sdk.contract.log_entries import dropped_in
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from flip_hub.database import AuditRow, Job
from flip_hub.database.chain import as_entry

PAGE = 50
MOST = 5_000
"""Entries in one download."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for; what is empty is not asked.

    Attributes:
        actor: who did it, whole.
        event: what was done, whole.
        subject: to what, whole, or a kind of thing (``job/``).
        first: day, in UTC.
        last: day, in UTC, included.
        text: somewhere in the subject or the details.
        before: entries with a smaller number.
    """

    actor: str = ""
    event: str = ""
    subject: str = ""
    first: date | None = None
    last: date | None = None
    text: str = ""
    before: int = 0


def search(session: Session, wanted: Wanted, subjects: Sequence[str] | None = None, most: int = PAGE) -> list[AuditRow]:
    """Entries that fit, newest first.

    Args:
        session: the database.
        wanted: what is looked for.
        subjects: nothing but these; None for everything.
        most: entries.
    """
    fitting = [one for one in _conditions(wanted) if one is not None]
    if subjects is not None:
        fitting.append(AuditRow.subject.in_(subjects))
    return list(session.scalars(select(AuditRow).where(*fitting).order_by(AuditRow.sequence.desc()).limit(most)))


def subjects_of(session: Session, project_id: str) -> list[str]:
    """What a project's own team reads: the project and its jobs. Who checks its files stays the airlock's."""
    jobs = session.scalars(select(Job.job_id).where(Job.project_id == project_id))
    return [f"project/{project_id}", *(f"job/{job}" for job in jobs)]


def exported(row: AuditRow) -> dict[str, Any]:
    """An entry as ``flip-hub audit export`` writes it."""
    return as_entry(row)


def details_of(row: AuditRow) -> list[tuple[str, str]]:
    """An entry's details, to show."""
    content = json.loads(row.details)
    shown = [(name.replace("_", " "), _shown(value)) for name, value in content.items()]
    gone = ", ".join(dropped_in(row.reduced))
    return [*shown, ("no longer kept, by retention", gone)] if gone else shown


def _conditions(wanted: Wanted) -> list[ColumnElement[bool] | None]:
    kind = wanted.subject.endswith("/")
    after = (wanted.last + timedelta(days=1)).isoformat() if wanted.last else ""
    return [
        AuditRow.actor == wanted.actor if wanted.actor else None,
        AuditRow.event == wanted.event if wanted.event else None,
        AuditRow.subject.startswith(wanted.subject, autoescape=True) if kind else None,
        AuditRow.subject == wanted.subject if wanted.subject and not kind else None,
        AuditRow.at >= wanted.first.isoformat() if wanted.first else None,
        AuditRow.at < after if after else None,
        _holds(wanted.text) if wanted.text else None,
        AuditRow.sequence < wanted.before if wanted.before else None,
    ]


def _holds(text: str) -> ColumnElement[bool]:
    return AuditRow.details.contains(text, autoescape=True) | AuditRow.subject.contains(text, autoescape=True)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "…"
