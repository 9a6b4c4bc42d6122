"""Reading and verifying the hub's audit log: an append-only hash chain in the database.

Whoever holds an exported chain can verify it alone, without the hub: :func:`verify_entries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from flip_sdk.contract.log_entries import GENESIS, from_row, hash_of
from flip_sdk.contract.retention import Judge, Retention
from sqlalchemy import text
from sqlalchemy.orm import Session

from flip_hub.database.chain import CHAIN, AuditHead, Entry, Routine, append
from flip_hub.errors import AuditError

__all__ = ["Entry", "Routine", "append", "export", "verify", "verify_entries"]


def export(session: Session) -> Iterator[dict[str, Any]]:
    """Every entry with its hash, oldest first."""
    # a backup's table may be of a version that lacks columns of today's
    rows = session.execute(text("SELECT * FROM audit ORDER BY sequence"), execution_options={"yield_per": 1000})
    for row in rows.mappings():
        yield from_row(dict(row))


def verify_entries(entries: Iterable[dict[str, Any]], policies: Sequence[Retention] | None = None) -> tuple[int, str]:
    """Walk an exported chain.

    Args:
        entries: oldest first.
        policies: by which parts may have been dropped; None where that is not asked.

    Returns:
        How many entries there are, and the last one's hash.

    Raises:
        AuditError: an entry was changed, left out, added or moved; names the first one.
    """
    previous, count, judge = GENESIS, 0, Judge(policies or (), datetime.now(UTC))
    lost: list[int] = []
    for count, entry in enumerate(entries, start=1):
        if entry.get("sequence") != count or entry.get("previous") != previous:
            raise AuditError(f"entry {count} does not follow the one before it")
        if _hash_of(entry) != entry.get("hash"):
            raise AuditError(f"entry {count} was changed after it was written")
        previous = entry["hash"]
        lost += judge.take(entry)
    lost += judge.end()
    if lost and policies is not None:
        raise AuditError(f"entry {min(lost)} lost details that no policy of retention lets go")
    return count, previous


def verify(session: Session, policies: Sequence[Retention] | None = None) -> tuple[int, str]:
    """Walk the database's own chain, to its recorded head.

    Raises:
        AuditError: the chain is broken, or entries are missing at its end.
    """
    count, last = verify_entries(export(session), policies)
    head = session.get(AuditHead, CHAIN)
    if (count, last) != ((head.sequence, head.hash) if head else (0, GENESIS)):
        raise AuditError(f"the chain ends at entry {count}, not at the recorded head")
    return count, last


def _hash_of(entry: dict[str, Any]) -> str:
    try:
        return hash_of(entry)
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
