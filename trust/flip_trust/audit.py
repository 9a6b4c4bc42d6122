"""The Trust's audit log: an append-only hash chain.

An entry's hash names that of the entry before it, and is over salted digests of its parts
(``flip_sdk.contract.log_entries``). Whoever holds an exported chain can verify it alone. Entries hold identifiers,
codes and settings, never a value of a patient.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from flip_sdk.contract.log_entries import GENESIS, VERSION, from_row, hash_of, new_salt
from flip_sdk.contract.retention import Judge, Retention

from flip_trust.errors import AuditBrokenError


class Reader(Protocol):
    """Whatever can answer a query: a database or an open transaction."""

    def read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        ...


@dataclass(frozen=True)
class Entry:
    """What is recorded with a write.

    Attributes:
        actor: who did it: ``steward/<name>``, or the part of the Trust (``admission``, ``engine``, ``agent`` …).
        event: a stable name such as ``task.accepted``; for a state it is the table's own.
        subject: what it was done to: ``task/<id>``, ``job/<id>``, ``project/<id>``, ``trust/<name>``.
        details: JSON values.
    """

    actor: str
    event: str
    subject: str
    details: dict[str, Any] = field(default_factory=dict)


def next_entry(entry: Entry, last: tuple[int, str] | None, now: datetime | None = None) -> dict[str, Any]:
    """The entry that continues the chain after ``last`` (sequence, hash)."""
    sequence, previous = last or (0, GENESIS)
    content = {
        "version": VERSION,
        "sequence": sequence + 1,
        "at": (now or datetime.now(UTC)).isoformat(),
        "actor": entry.actor,
        "event": entry.event,
        "subject": entry.subject,
        "details": entry.details,
        "previous": previous,
        "salt": new_salt(),
    }
    return content | {"hash": hash_of(content)}


def verify_entries(entries: Iterable[dict[str, Any]], policies: Sequence[Retention] | None = None) -> tuple[int, str]:
    """Walk a chain.

    Args:
        entries: oldest first.
        policies: by which parts may have been dropped; None where that is not asked.

    Returns:
        How many entries there are, and the last one's hash.

    Raises:
        AuditBrokenError: an entry was changed, left out, added or moved; names the first.
    """
    count, previous, judge = 0, GENESIS, Judge(policies or (), datetime.now(UTC))
    lost: list[int] = []
    for count, entry in enumerate(entries, start=1):
        if entry.get("sequence") != count or entry.get("previous") != previous:
            raise AuditBrokenError(count, "it does not follow the one before it")
        if _hash_of(entry) != entry.get("hash"):
            raise AuditBrokenError(count, "it was changed after it was written")
        previous = str(entry["hash"])
        lost += judge.take(entry)
    lost += judge.end()
    if lost and policies is not None:
        raise AuditBrokenError(min(lost), "it lost details that no policy of retention lets go")
    return count, previous


def entries_of(reader: Reader) -> Iterator[dict[str, Any]]:
    """Every entry with its hash, oldest first, as it is exported."""
    page, last = 1000, 0
    while rows := reader.read("SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?", (last, page)):
        for row in rows:
            yield from_row(row)
        last = int(rows[-1]["sequence"])


def verify_database(reader: Reader, policies: Sequence[Retention] | None = None) -> tuple[int, str]:
    """Walk the Trust's own chain to its recorded end.

    Raises:
        AuditBrokenError: the chain is broken, or entries are missing at its end.
    """
    count, last = verify_entries(entries_of(reader), policies)
    head = reader.read("SELECT sequence, hash FROM audit_head")
    recorded = (int(head[0]["sequence"]), str(head[0]["hash"])) if head else (0, GENESIS)
    if (count, last) != recorded:
        raise AuditBrokenError(count + 1, "entries are missing at the end")
    return count, last


def read_export(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Entries of an exported file, one JSON object a line.

    Raises:
        AuditBrokenError: a line is not an entry.
    """
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise AuditBrokenError(number, "it is not JSON") from error
        if not isinstance(entry, dict):
            raise AuditBrokenError(number, "it is not an entry")
        yield entry


def _hash_of(entry: dict[str, Any]) -> str:
    try:
        return hash_of(entry)
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
