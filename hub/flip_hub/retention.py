"""Letting go of what the audit log has kept long enough, by a policy; the log itself tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from flip_sdk.contract.log_entries import REDUCED_EVENT
from flip_sdk.contract.retention import Due, Retention, chosen, due, reduction, years_before
from flip_sdk.errors import RecordError
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from flip_hub.database import AuditReduction, AuditRow, Database, Entry
from flip_hub.database.chain import as_entry, lock
from flip_hub.errors import AuditError, ConfigError

_INSTALLED = Path(__file__).parent / "retention.yaml"
_REPOSITORY = Path(__file__).parents[2] / "policies" / "retention.yaml"
_CHANGED = ("actor", "subject", "details", "salt", "reduced")
MOST = 5_000
"""Entries reduced in one transaction, in which nobody else writes."""


def policy_of(path: Path | None = None) -> Retention:
    """The policy in a file; the one that comes with the hub unless given.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    where = path or (_INSTALLED if _INSTALLED.is_file() else _REPOSITORY)
    try:
        return Retention.parse(yaml.safe_load(where.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecordError) as error:
        raise ConfigError(f"{where} is not a policy of retention: {error}", "See policies/retention.yaml.") from error


def due_now(database: Database, policy: Retention, moment: datetime) -> Due:
    """Look at what would be reduced, and change nothing."""
    with database.read() as session:
        return due(_old_enough(session, policy, moment), policy, moment)


def reduce_due(database: Database, policy: Retention, moment: datetime, by: str) -> int:
    """Reduce everything whose time is over, some thousand entries at a time.

    Args:
        database: the hub's.
        policy: what goes when.
        moment: now.
        by: who does it, for the audit log.

    Returns:
        How many entries were reduced.

    Raises:
        AuditError: an entry is not what its hash says: nothing of it is let go, as it is evidence.
    """
    total = after = 0
    while True:
        with database.read() as session:
            found = chosen(_old_enough(session, policy, moment, after), policy, moment, MOST)
        if not found:
            return total
        entry = Entry(by, REDUCED_EVENT, "audit/hub")
        with database.write(entry) as session:
            entry.details.update(_reduce(session, policy, found))
        total, after = total + len(found), found[-1][0]["sequence"]


def _reduce(session: Session, policy: Retention, found: list[tuple[dict[str, Any], list[str]]]) -> dict[str, Any]:
    head = lock(session)
    number = (head.sequence if head else 0) + 1
    try:
        rows, details = reduction(found, policy, number)
    except ValueError as error:
        raise AuditError(str(error)) from error
    session.execute(insert(AuditReduction).values(sequence=number))
    for row in rows:
        values = {name: row[name] for name in _CHANGED}
        session.execute(update(AuditRow).where(AuditRow.sequence == row["sequence"]).values(values))
    return details


def _old_enough(session: Session, policy: Retention, moment: datetime, after: int = 0) -> Iterator[dict[str, Any]]:
    until = years_before(moment, policy.shortest).isoformat()
    fitting = select(AuditRow).where(AuditRow.at <= until, AuditRow.sequence > after).order_by(AuditRow.sequence)
    for row in session.scalars(fitting).yield_per(1000):
        yield as_entry(row)
