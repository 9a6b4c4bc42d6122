"""Letting go of what this Trust's audit log has kept long enough, by a policy; the log itself tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from flip_sdk.contract.log_entries import REDUCED_EVENT, from_row
from flip_sdk.contract.retention import Due, Retention, chosen, due, reduction, years_before
from flip_sdk.errors import RecordError

from flip_trust.audit import Entry, Reader
from flip_trust.database import Database, Statement
from flip_trust.errors import AuditBrokenError, SetupError

_INSTALLED = Path(__file__).parent / "policies" / "retention.yaml"
_REPOSITORY = Path(__file__).parents[2] / "policies" / "retention.yaml"
_CHANGE = "UPDATE audit SET actor = ?, subject = ?, details = ?, salt = ?, reduced = ? WHERE sequence = ?"
_CHANGED = ("actor", "subject", "details", "salt", "reduced", "sequence")
MOST = 5_000
"""Entries reduced in one transaction, in which nothing else is written."""
_PAGE = 1000


def policy_of(path: Path | None = None) -> Retention:
    """The policy in a file; the one that comes with flip-trust unless given.

    Raises:
        SetupError: it cannot be read, or is none.
    """
    where = path or (_INSTALLED if _INSTALLED.is_file() else _REPOSITORY)
    try:
        return Retention.parse(yaml.safe_load(where.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecordError) as error:
        raise SetupError(f"{where} is not a policy of retention: {error}", "See policies/retention.yaml.") from error


def due_now(database: Database, policy: Retention, moment: datetime) -> Due:
    """Look at what would be reduced, and change nothing."""
    return due(_old_enough(database, policy, moment), policy, moment)


def reduce_due(database: Database, policy: Retention, moment: datetime, by: str) -> int:
    """Reduce everything whose time is over, some thousand entries at a time.

    Args:
        database: the Trust's.
        policy: what goes when.
        moment: now.
        by: who does it, for the audit log.

    Returns:
        How many entries were reduced.

    Raises:
        AuditBrokenError: an entry is not what its hash says: nothing of it is let go, as it is evidence.
        LedgerUnavailableError: it cannot be written.
    """
    total = after = 0
    while found := chosen(_old_enough(database, policy, moment, after), policy, moment, MOST):
        _reduce(database, policy, found, by)
        total, after = total + len(found), found[-1][0]["sequence"]
    return total


def _reduce(database: Database, policy: Retention, found: list[tuple[dict[str, Any], list[str]]], by: str) -> None:
    with database.transaction() as transaction:
        head = transaction.read("SELECT sequence FROM audit_head")
        number = int(head[0]["sequence"]) + 1
        try:
            rows, details = reduction(found, policy, number)
        except ValueError as error:
            raise AuditBrokenError(found[0][0]["sequence"], str(error)) from error
        told: Statement = ("INSERT INTO audit_reduction (sequence) VALUES (?)", (number,))
        changes: list[Statement] = [(_CHANGE, tuple(row[name] for name in _CHANGED)) for row in rows]
        transaction.write(Entry(by, REDUCED_EVENT, "audit/own", details), told, *changes)


def _old_enough(reader: Reader, policy: Retention, moment: datetime, after: int = 0) -> Iterator[dict[str, Any]]:
    until = years_before(moment, policy.shortest).isoformat()
    sql = "SELECT * FROM audit WHERE at <= ? AND sequence > ? ORDER BY sequence LIMIT ?"
    while rows := reader.read(sql, (until, after, _PAGE)):
        yield from map(from_row, rows)
        after = rows[-1]["sequence"]
