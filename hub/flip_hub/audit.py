"""Reading and verifying the hub's audit log: an append-only hash chain in the database.

Whoever holds an exported chain can verify it alone, without the hub: :func:`verify_entries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database.chain import CHAIN, GENESIS, AuditHead, AuditRow, Entry, Routine, append, as_dict, hash_of
from flip_hub.errors import AuditError

__all__ = ["Entry", "Routine", "append", "export", "verify", "verify_entries"]


def export(session: Session) -> Iterator[dict[str, Any]]:
    """Every entry with its hash, oldest first."""
    for row in session.scalars(select(AuditRow).order_by(AuditRow.sequence)).yield_per(1000):
        yield as_dict(row) | {"hash": row.hash}


def verify_entries(entries: Iterable[dict[str, Any]]) -> tuple[int, str]:
    """Walk an exported chain.

    Returns:
        How many entries there are, and the last one's hash.

    Raises:
        AuditError: an entry was changed, left out, added or moved; names the first one.
    """
    previous, count = GENESIS, 0
    for count, entry in enumerate(entries, start=1):
        content = {name: value for name, value in entry.items() if name != "hash"}
        if content.get("sequence") != count or content.get("previous") != previous:
            raise AuditError(f"entry {count} does not follow the one before it")
        if hash_of(content) != entry.get("hash"):
            raise AuditError(f"entry {count} was changed after it was written")
        previous = entry["hash"]
    return count, previous


def verify(session: Session) -> tuple[int, str]:
    """Walk the database's own chain, to its recorded head.

    Raises:
        AuditError: the chain is broken, or entries are missing at its end.
    """
    count, last = verify_entries(export(session))
    head = session.get(AuditHead, CHAIN)
    if (count, last) != ((head.sequence, head.hash) if head else (0, GENESIS)):
        raise AuditError(f"the chain ends at entry {count}, not at the recorded head")
    return count, last
