"""Other Trusts' identity keys, as this Trust's own operator confirmed them.

The hub hands keys round, and a hostile one could hand round its own. So a key counts here only once two operators have
compared its fingerprint over another channel; a key that changed counts again only once it is confirmed anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from flip_sdk.contract.notices import PeerKey, same_fingerprint
from flip_sdk.contract.signatures import PublicKey

from flip_trust.audit import Entry, Reader
from flip_trust.database import Database
from flip_trust.errors import PeerError


@dataclass(frozen=True)
class Peer:
    """A confirmed Trust."""

    record: PeerKey
    confirmed_by: str
    confirmed_at: datetime


def every(reader: Reader) -> list[Peer]:
    """Every Trust that is confirmed, by name."""
    return [
        Peer(
            PeerKey(trust=row["trust"], identity_key=row["identity_key"]),
            row["confirmed_by"],
            datetime.fromisoformat(row["confirmed_at"]),
        )
        for row in reader.read("SELECT * FROM peer ORDER BY trust")
    ]


def keys(reader: Reader) -> dict[str, PublicKey]:
    """Confirmed identity keys by the Trust's name."""
    return {peer.record.trust: PublicKey(peer.record.identity_key) for peer in every(reader)}


def confirm(database: Database, own: PeerKey, offered: Iterable[PeerKey], fingerprint: str, operator: str) -> Peer:
    """Confirm the one of the offered keys that has this fingerprint; an earlier key under its name is replaced.

    Args:
        database: the Trust's own.
        own: this Trust's name and key: neither may be another's.
        offered: keys of one name, as they came from the hub.
        fingerprint: as the other Trust's operator read it out.
        operator: who compared it.

    Raises:
        PeerError: none has this fingerprint, or the name or the key is another Trust's already.
        LedgerUnavailableError: it cannot be written.
    """
    record = next((one for one in offered if same_fingerprint(one, fingerprint)), None)
    if record is None:
        raise PeerError(
            "No key that the hub hands out for this Trust has the fingerprint given.",
            "Compare it once more with the other Trust's operator: flip-trust peers fingerprint, on their machine.",
        )
    at = datetime.now(UTC)
    with database.transaction() as transaction:
        taken = {peer.record.identity_key: peer.record.trust for peer in every(transaction)} | {
            own.identity_key: own.trust
        }
        if record.trust == own.trust or taken.get(record.identity_key, record.trust) != record.trust:
            raise PeerError("This name or key is another Trust's already.", "See flip-trust peers list.")
        transaction.write(
            Entry(f"operator/{operator}", "peer.confirmed", f"peer/{record.trust}", {"key": record.identity_key}),
            (
                "INSERT OR REPLACE INTO peer VALUES (?, ?, ?, ?)",
                (record.trust, record.identity_key, operator, at.isoformat()),
            ),
        )
    return Peer(record, operator, at)


def forget(database: Database, trust: str, operator: str) -> None:
    """Share noise with a Trust no more; takes effect at its next task.

    Raises:
        PeerError: it is not confirmed.
        LedgerUnavailableError: it cannot be written.
    """
    with database.transaction() as transaction:
        if not transaction.read("SELECT 1 FROM peer WHERE trust = ?", (trust,)):
            raise PeerError(f"'{trust}' is not confirmed here.", "See flip-trust peers list.")
        transaction.write(
            Entry(f"operator/{operator}", "peer.forgotten", f"peer/{trust}"),
            ("DELETE FROM peer WHERE trust = ?", (trust,)),
        )
