"""The hub's log and its witnesses: a signed root each day, which Trusts countersign, and the roots of their logs."""

from __future__ import annotations

import base64
from datetime import date, timedelta

from flip_sdk.contract.logs import (
    MOST_ROOTS,
    ConsistencyProof,
    InclusionProof,
    LogKey,
    LogRoot,
    PublishedRoot,
    PublishedRoots,
    RootTold,
)
from flip_sdk.contract.merkle import Tree
from flip_sdk.contract.notices import RootNotice, SignedNotice, WitnessNotice
from flip_sdk.contract.signatures import verify
from flip_sdk.errors import SignatureError
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import Database, Entry, Routine, Trust, now
from flip_hub.database.chain import AuditRow
from flip_hub.database.roots import DailyRoot, RootSeen, missing_blocks, tree
from flip_hub.errors import AuditError, ConflictError, MissingError
from flip_hub.governance.trusts import identity_keys
from flip_hub.keys import signing_key

HUB = "hub"


def keep_up(config: HubConfig, database: Database) -> LogRoot | None:
    """Keep the hashes of blocks that became whole, and sign the day's root where there is none yet.

    Returns:
        The root, where one was made.

    Raises:
        AuditError: entries are missing from the log.
    """
    with database.read() as session:
        blocks = list(missing_blocks(session))
    if blocks:
        with database.write(Routine("hashes of whole blocks follow from the log")) as session:
            for block in blocks:
                session.merge(block)
    today = now().date()
    with database.read() as session:
        if session.get(DailyRoot, (HUB, today)) is not None:
            return None
    return _sign(config, database, today)


def _sign(config: HubConfig, database: Database, today: date) -> LogRoot | None:
    entry = Entry("governance", "audit.root_signed", "audit/hub")
    with database.write(entry) as session:
        if session.get(DailyRoot, (HUB, today)) is not None:
            return None
        last = session.scalars(_of(HUB).order_by(DailyRoot.day.desc()).limit(1)).one_or_none()
        (size, root), before = _grown(session), root_of(last) if last else None
        made = LogRoot(
            log=HUB,
            day=today,
            size=size,
            root=root,
            previous=before.digest() if before else None,
            issued_at=now(),
        )
        session.add(_row(made, signing_key(config, "governance").sign(made)))
        entry.details.update(day=str(today), size=made.size, root=made.root)
    return made


def _grown(session: Session) -> tuple[int, str]:
    grown = tree(session)
    try:
        return grown.size, grown.root()
    except ValueError as error:
        raise AuditError(f"the audit log is broken: {error}") from error


def told_to(session: Session, after: date | None) -> list[RootTold]:
    """The hub's roots after a day, each with the proof that it continues the one before it."""
    rows = list(session.scalars(_of(HUB).order_by(DailyRoot.day)))
    grown, sizes = tree(session), [0, *(row.size for row in rows)]
    due = [(first, row) for first, row in zip(sizes, rows, strict=False) if after is None or row.day > after]
    return [RootTold(signed=row.signed, proof=_proof(grown, first, row.size)) for first, row in due[:MOST_ROOTS]]


def _proof(grown: Tree, first: int, second: int) -> ConsistencyProof:
    try:
        path = grown.consistency(first, second)
    except ValueError:
        # entries are gone, and that is what whoever asks has to see: this proves nothing
        path = ()
    return ConsistencyProof(log=HUB, first=first, second=second, path=path)


def take_witness(session: Session, notice: WitnessNotice, statement: str) -> None:
    """Keep a Trust's word that it saw a root; the first one of a day stays.

    Raises:
        MissingError: the hub published no such root.
    """
    row = session.get(DailyRoot, (HUB, notice.day))
    if row is None or (row.size, row.root) != (notice.size, notice.root):
        raise MissingError("The hub published no such root.", "Export both audit logs, and compare them.")
    if session.get(RootSeen, (notice.day, notice.trust)) is None:
        session.add(RootSeen(day=notice.day, trust=notice.trust, signed=statement, seen_at=now()))


def take_root(session: Session, notice: RootNotice) -> None:
    """Keep the root of a Trust's own log; it has to continue what the Trust handed over before.

    Raises:
        SignatureError: not that Trust's own root.
        ConflictError: another one of that day is known, or the log became shorter.
    """
    key = identity_keys(session)[notice.trust]
    root = verify(notice.signed, key, LogRoot)
    if root.log != f"trust/{notice.trust}":
        raise SignatureError("The root is of another log.", "A Trust hands over the roots of its own log only.")
    known = session.get(DailyRoot, (root.log, root.day))
    if known is not None:
        if known.root != root.root:
            raise ConflictError("Another root of that day is known.", "Find out who restored or rewrote the log.")
        return
    last = session.scalars(_of(root.log).order_by(DailyRoot.day.desc()).limit(1)).one_or_none()
    if last is not None and not _continues(root_of(last), root, notice.proof):
        raise ConflictError(
            f"The root does not continue that of {last.day}.", "Find out who restored or rewrote the Trust's log."
        )
    session.add(_row(root, notice.signed))


def published(config: HubConfig, session: Session) -> PublishedRoots:
    """Every root, who saw it, and the keys to verify all of it with."""
    seen: dict[date, list[str]] = {}
    for row in session.scalars(select(RootSeen).order_by(RootSeen.day, RootSeen.trust)):
        seen.setdefault(row.day, []).append(row.signed)
    rows = session.scalars(select(DailyRoot).order_by(DailyRoot.log, DailyRoot.day))
    roots = tuple(
        PublishedRoot(root=root_of(row), signed=row.signed, seen=tuple(seen.get(row.day, ())) if row.log == HUB else ())
        for row in rows
    )
    trusts = session.scalars(select(Trust).order_by(Trust.name))
    keys = [LogKey(owner=HUB, title=config.title, key=signing_key(config, "governance").public.x)]
    keys += [LogKey(owner=f"trust/{one.name}", title=one.title, key=one.identity_key) for one in trusts]
    return PublishedRoots(roots=roots, keys=tuple(keys))


def witnesses_of(one: PublishedRoot) -> list[str]:
    """Names of the Trusts that countersigned a root; their signatures were verified when they were taken."""
    return sorted(SignedNotice.parse(_payload(statement)).notice.trust for statement in one.seen)


def prove(session: Session, sequence: int, size: int | None = None) -> InclusionProof:
    """That an entry is in the log, as it is now or as it was at an earlier size.

    Raises:
        MissingError: there is no such entry.
    """
    row, grown = session.get(AuditRow, sequence), tree(session)
    upto = grown.size if size is None else size
    if row is None or not sequence <= upto <= grown.size:
        raise MissingError(f"There is no entry {sequence} in a log of {upto}.", "Look at the log's first page.")
    return proof_of(grown, row, upto)


def proof_of(grown: Tree, row: AuditRow, size: int | None = None) -> InclusionProof:
    """That an entry is in the log, whose tree is at hand."""
    upto = grown.size if size is None else size
    path, root = grown.inclusion(row.sequence, upto), grown.root(upto)
    return InclusionProof(log=HUB, sequence=row.sequence, entry=row.hash, size=upto, root=root, path=path)


def days_without(days: list[date], today: date) -> list[date]:
    """Days between the first root and today that have none: the hub was not running, or somebody kept it from it."""
    if not days:
        return []
    span = (today - min(days)).days + 1
    return [day for n in range(span) if (day := min(days) + timedelta(days=n)) not in set(days)]


def root_of(row: DailyRoot) -> LogRoot:
    """The record that a row holds (its signature is verified by whoever reads it elsewhere)."""
    return LogRoot.parse(_payload(row.signed))


def _payload(signed: str) -> bytes:
    body = signed.split(".")[1]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def _continues(last: LogRoot, root: LogRoot, proof: ConsistencyProof | None) -> bool:
    return root.day > last.day and root.previous == last.digest() and proof is not None and proof.holds(last, root)


def _of(log: str) -> Select[DailyRoot]:
    return select(DailyRoot).where(DailyRoot.log == log)


def _row(root: LogRoot, signed: str) -> DailyRoot:
    return DailyRoot(
        log=root.log, day=root.day, size=root.size, root=root.root, signed=signed, issued_at=root.issued_at
    )
