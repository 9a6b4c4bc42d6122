"""Enrolling Trusts, and what is known of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from flip_sdk.contract.notices import TrustEnrolment, fingerprint, same_fingerprint
from flip_sdk.contract.signatures import PublicKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import Database, Entry, Trust, now
from flip_hub.errors import EnrolmentError, MissingError


def enrol(database: Database, record: TrustEnrolment, claimed: str, *, by: str) -> Trust:
    """Register a Trust's keys, after two people compared the record's fingerprint.

    Args:
        database: the hub's.
        record: what ``flip-trust init`` wrote.
        claimed: the fingerprint that the Trust's operator read out.
        by: who enrols it.

    Raises:
        EnrolmentError: the fingerprint is another one, or the name belongs to other keys.
        SignatureError: the identity key is no key.
    """
    if not same_fingerprint(record, claimed):
        mend = "Ask the Trust's operator to read it out again; if it still differs, the file was changed on its way."
        raise EnrolmentError("The fingerprint is not this record's.", mend)
    PublicKey(record.identity_key)
    entry = Entry(by, "trust.enrolled", f"trust/{record.trust}", {"fingerprint": fingerprint(record)})
    with database.write(entry) as session:
        trust = session.get(Trust, record.trust)
        if trust is not None and trust.active and trust.fingerprint != fingerprint(record):
            mend = f"If it has new keys, first: flip-hub withdraw {record.trust}"
            raise EnrolmentError(f"A Trust {record.trust} is enrolled with other keys.", mend)
        if trust is None:
            trust = Trust(name=record.trust, enrolled_at=now())
            session.add(trust)
        trust.title = record.title
        trust.identity_key = record.identity_key
        trust.node_key = record.node_key
        trust.fingerprint = fingerprint(record)
        trust.active = True
        return trust


def withdraw(database: Database, name: str, *, by: str) -> None:
    """Stop trusting a Trust's keys at once. What it released stays on record.

    Raises:
        MissingError: no such Trust is enrolled.
    """
    with database.write(Entry(by, "trust.withdrawn", f"trust/{name}")) as session:
        trust = session.get(Trust, name)
        if trust is None:
            raise MissingError(f"No Trust {name} is enrolled.", "See: flip-hub trusts")
        trust.active = False


def enrolled(session: Session) -> list[Trust]:
    """Every Trust whose keys count, by name."""
    return list(session.scalars(select(Trust).where(Trust.active).order_by(Trust.name)))


def node_keys(database: Database) -> dict[str, bytes]:
    """Each Trust's OpenSSH public key line, for the gateway."""
    with database.read() as session:
        return {trust.name: trust.node_key.encode() for trust in enrolled(session)}


def identity_keys(session: Session) -> dict[str, PublicKey]:
    """Each Trust's identity key, by its name."""
    return {trust.name: PublicKey(trust.identity_key) for trust in enrolled(session)}


def is_online(config: HubConfig, seen_at: datetime | None) -> bool:
    """Whether a Trust last seen then counts as online."""
    return seen_at is not None and now() - seen_at < timedelta(seconds=config.online_seconds)
