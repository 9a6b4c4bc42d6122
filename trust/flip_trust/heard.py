"""What the hub told of the projects that want this Trust's data, kept: a steward reads it while the hub is away too.

The hub's word is all that it is. Nothing here allows anything: that takes a decision (:mod:`flip_trust.consent`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flip_sdk.contract.notices import ProjectForTrust
from flip_sdk.contract.records import digest
from flip_sdk.errors import RecordError

from flip_trust.audit import Entry, Reader
from flip_trust.database import Database, Statement

MOST = 2_000
"""Projects that are kept; a hub that lists more is broken."""


@dataclass(frozen=True)
class Heard:
    """A project, as the hub told it.

    Attributes:
        record: the hub's words.
        first_at: when it was first told.
        changed_at: when what is told of it, other Trusts' keys apart, last changed.
        listed: whether the hub's latest list has it.
    """

    record: ProjectForTrust
    first_at: datetime
    changed_at: datetime
    listed: bool


def keep(database: Database, told: Iterable[ProjectForTrust], now: datetime) -> bool:
    """Keep the hub's latest list; whether it said anything new.

    Raises:
        LedgerUnavailableError: it cannot be written.
    """
    new = {project.project_id: project.canonical().decode() for project in list(told)[:MOST]}
    rows = database.read("SELECT project_id, record, listed FROM told_project")
    before = {row["project_id"]: (row["record"], bool(row["listed"])) for row in rows}
    changed = {name: text for name, text in new.items() if before.get(name) != (text, True)}
    gone = [name for name, (_, listed) in before.items() if listed and name not in new]
    if not changed and not gone:
        return False
    statements = [_told(name, text, now, before.get(name, ("", False))[0]) for name, text in changed.items()]
    statements += [("UPDATE told_project SET listed = 0 WHERE project_id = ?", (name,)) for name in gone]
    details = {"changed": {name: digest(text.encode()) for name, text in changed.items()}, "gone": gone}
    with database.transaction() as transaction:
        transaction.write(Entry("agent", "projects.told", "hub", details), *statements)
    return True


def every(reader: Reader) -> list[Heard]:
    """Every project that was ever told, the newest change first."""
    rows = reader.read("SELECT * FROM told_project ORDER BY changed_at DESC, project_id")
    return [found for row in rows if (found := _heard(row)) is not None]


def one(reader: Reader, project_id: str) -> Heard | None:
    """What was told of a project."""
    rows = reader.read("SELECT * FROM told_project WHERE project_id = ?", (project_id,))
    return _heard(rows[0]) if rows else None


def _told(name: str, text: str, now: datetime, before: str) -> Statement:
    at = now.isoformat()
    if before and _asked(before) == _asked(text):
        return "UPDATE told_project SET record = ?, listed = 1 WHERE project_id = ?", (text, name)
    return (
        "INSERT INTO told_project VALUES (?, ?, ?, ?, 1) ON CONFLICT (project_id) DO UPDATE SET "
        "record = excluded.record, changed_at = excluded.changed_at, listed = 1",
        (name, text, at, at),
    )


def _asked(text: str) -> dict[str, Any]:
    """What a steward decides on; the other Trusts' keys come and go, and are confirmed one by one."""
    return {name: value for name, value in json.loads(text).items() if name != "peers"}


def _heard(row: dict[str, Any]) -> Heard | None:
    try:
        record = ProjectForTrust.parse(row["record"])
    except RecordError:
        return None
    first, changed = datetime.fromisoformat(row["first_at"]), datetime.fromisoformat(row["changed_at"])
    return Heard(record, first, changed, bool(row["listed"]))
