"""This Trust and the hub are each other's witness: its own log's root each day, and the hub's countersigned.

A hub whose log was rewritten cannot prove that it continues what this Trust saw. Then nothing is countersigned, the
Trust's own log says so, and its steward is told.
"""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, timedelta

from flip_sdk.contract import merkle
from flip_sdk.contract.logs import ConsistencyProof, LogRoot, RootTold
from flip_sdk.contract.notices import RootNotice, WitnessNotice
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import PublicKey, SigningKey, verify
from flip_sdk.errors import PublicError

from flip_trust.audit import Entry, Reader
from flip_trust.config import TrustConfig
from flip_trust.database import Database, Statement
from flip_trust.errors import SetupError

DEALT_WITH = "hub.alarm_dealt_with"
"""Event by which a named person says what an alarm was about."""
MOST_DAYS_WITHOUT = 2
"""Days without a root of the hub's log that are let pass."""
_LEVELS = ((merkle.BLOCK_BITS, 0), (2 * merkle.BLOCK_BITS, merkle.BLOCK_BITS))


class Stored:
    """The Trust's own log as a Merkle tree reads it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, level: int, first: int, count: int) -> list[bytes]:
        """Hashes side by side, from the entries or from the kept blocks."""
        if level == 0:
            sql = "SELECT hash FROM audit WHERE sequence BETWEEN ? AND ? ORDER BY sequence"
            return [merkle.leaf(row["hash"]) for row in self._reader.read(sql, (first + 1, first + count))]
        sql = "SELECT hash FROM audit_block WHERE level = ? AND place BETWEEN ? AND ? ORDER BY place"
        rows = self._reader.read(sql, (level, first, first + count - 1))
        return [bytes.fromhex(row["hash"]) for row in rows]


def tree(reader: Reader) -> merkle.Tree:
    """The own log's tree as it is now."""
    head = reader.read("SELECT sequence FROM audit_head")
    return merkle.Tree(Stored(reader), int(head[0]["sequence"]) if head else 0)


def sign_own(database: Database, config: TrustConfig, key: SigningKey, now: datetime) -> LogRoot | None:
    """Sign the day's root of this Trust's log, where there is none yet.

    Raises:
        LedgerUnavailableError: it cannot be kept.
    """
    with database.transaction() as transaction:
        last = _last(transaction, "own_root")
        if last is not None and last.day >= now.date():
            return None
        grown = tree(transaction)
        root = LogRoot(
            log=f"trust/{config.name}",
            day=now.date(),
            size=grown.size,
            root=grown.root(),
            previous=last.digest() if last else None,
            issued_at=now,
        )
        details = {"day": str(root.day), "size": root.size, "root": root.root}
        kept: Statement = ("INSERT INTO own_root (day, signed) VALUES (?, ?)", (str(root.day), key.sign(root)))
        blocks = _missing_blocks(transaction, grown.size)
        transaction.write(Entry("agent", "audit.root_signed", f"audit/{root.log}", details), *blocks, kept)
    return root


def to_hand_over(reader: Reader, config: TrustConfig, notice_id: str, now: datetime) -> RootNotice | None:
    """The oldest root of the own log that the hub has not taken yet."""
    rows = reader.read("SELECT day, signed FROM own_root WHERE told = 0 ORDER BY day LIMIT 1")
    if not rows:
        return None
    root = _inside(rows[0]["signed"])
    before = reader.read("SELECT signed FROM own_root WHERE day < ? ORDER BY day DESC LIMIT 1", (rows[0]["day"],))
    proof = None
    if before:
        first = _inside(before[0]["signed"]).size
        path = tree(reader).consistency(first, root.size)
        proof = ConsistencyProof(log=root.log, first=first, second=root.size, path=path)
    return RootNotice(trust=config.name, notice_id=notice_id, signed=rows[0]["signed"], proof=proof, issued_at=now)


def day_of(notice: RootNotice) -> date:
    """The day that a root stands for."""
    return _inside(notice.signed).day


def handed_over(database: Database, day: date) -> None:
    """The hub has taken the own root of a day.

    Raises:
        LedgerUnavailableError: it cannot be written.
    """
    with database.transaction() as transaction:
        told = ("UPDATE own_root SET told = 1 WHERE day = ?", (str(day),))
        transaction.write(Entry("agent", "audit.root_handed_over", "hub", {"day": str(day)}), told)


def last_seen(reader: Reader) -> LogRoot | None:
    """The newest root of the hub's log that this Trust verified."""
    return _last(reader, "hub_root")


def see(database: Database, told: list[RootTold], hub: PublicKey, now: datetime) -> bool:
    """Check the hub's roots one after the other; keep those that continue what was seen, and stop at one that does not.

    Returns:
        Whether all was well.

    Raises:
        LedgerUnavailableError: it cannot be kept.
    """
    for one in told:
        last = last_seen(database)
        why, root = _wrong(one, last, hub, now)
        if why or root is None:
            _raise_alarm(database, one.signed, why, now)
            return False
        with database.transaction() as transaction:
            details = {"day": str(root.day), "size": root.size, "root": root.root}
            kept: Statement = (
                "INSERT INTO hub_root (day, signed, seen_at) VALUES (?, ?, ?)",
                (str(root.day), one.signed, now.isoformat()),
            )
            transaction.write(Entry("agent", "hub.root_seen", "hub", details), kept)
    return _check_days(database, now)


def to_countersign(reader: Reader, config: TrustConfig, notice_id: str, now: datetime) -> WitnessNotice | None:
    """The oldest root of the hub that was seen and not countersigned to it yet."""
    rows = reader.read("SELECT signed FROM hub_root WHERE countersigned = 0 ORDER BY day LIMIT 1")
    if not rows:
        return None
    root = _inside(rows[0]["signed"])
    return WitnessNotice(
        trust=config.name, notice_id=notice_id, day=root.day, size=root.size, root=root.root, issued_at=now
    )


def countersigned(database: Database, day: date) -> None:
    """The hub has this Trust's countersignature of a day.

    Raises:
        LedgerUnavailableError: it cannot be written.
    """
    with database.transaction() as transaction:
        done = ("UPDATE hub_root SET countersigned = 1 WHERE day = ?", (str(day),))
        transaction.write(Entry("agent", "hub.root_countersigned", "hub", {"day": str(day)}), done)


def alarm(reader: Reader) -> tuple[str, str] | None:
    """What is wrong with the hub's log, in words, and since when; None where nothing is, or all was dealt with."""
    waiting = [one for one in alarms(reader) if not one["by"]]
    return (waiting[-1]["why"], waiting[-1]["at"]) if waiting else None


def alarms(reader: Reader) -> list[dict[str, str]]:
    """Every alarm, the oldest first, with who dealt with it, when and why (``by``, ``dealt_at``, ``reason``)."""
    found = []
    for row in reader.read("SELECT digest, at, why FROM hub_alarm ORDER BY at, digest"):
        sql = "SELECT actor, at, details FROM audit WHERE subject = ? AND event = ? ORDER BY sequence LIMIT 1"
        told = reader.read(sql, (f"alarm/{row['digest']}", DEALT_WITH))
        by, at = (told[0]["actor"] or "somebody whose name is no longer kept", told[0]["at"]) if told else ("", "")
        reason = json.loads(told[0]["details"]).get("reason", "") if told else ""
        found.append(row | {"by": by, "dealt_at": at, "reason": reason})
    return found


def deal_with(database: Database, number: int, by: str, reason: str) -> dict[str, str]:
    """Record that a person dealt with an alarm. It stays in the list, and in the log; another one is an alarm again.

    Args:
        database: the Trust's.
        number: of the alarm, as :func:`alarms` lists them, from 1.
        by: who, for the audit log.
        reason: what was found out.

    Raises:
        SetupError: there is no such alarm, it was dealt with, or no reason is given.
        LedgerUnavailableError: it cannot be written.
    """
    with database.transaction() as transaction:
        known = alarms(transaction)
        if not 1 <= number <= len(known):
            raise SetupError(f"There is no alarm {number}.", "List them: flip-trust audit alarms")
        one = known[number - 1]
        if one["by"]:
            raise SetupError(
                f"{one['by']} dealt with alarm {number} on {one['dealt_at'][:10]}.", "Nothing is to be done."
            )
        if not reason.strip():
            raise SetupError("An alarm is dealt with for a reason.", "Say what you found out: --reason …")
        transaction.write(
            Entry(by, DEALT_WITH, f"alarm/{one['digest']}", {"reason": reason.strip(), "why": one["why"]})
        )
    return one


def _wrong(one: RootTold, last: LogRoot | None, hub: PublicKey, now: datetime) -> tuple[str, LogRoot | None]:
    try:
        root = verify(one.signed, hub, LogRoot)
    except PublicError:
        return "A root of the hub's log is not signed by the hub.", None
    if root.log != "hub" or root.day > (now + timedelta(days=1)).date():
        return "A root of the hub's log is of another log, or of a day to come.", root
    if last is not None and root.day <= last.day:
        return "The hub tells a second root of a day.", root
    if root.previous != (last.digest() if last else None):
        return "A root of the hub's log does not name the one before it.", root
    if not one.proof.holds(last, root):
        return "The hub cannot prove that its log continues what this Trust saw: entries were changed or removed.", root
    return "", root


def _raise_alarm(database: Database, signed: str, why: str, now: datetime) -> None:
    name = digest(f"{why}\n{signed}".encode())
    with database.transaction() as transaction:
        if transaction.read("SELECT 1 FROM hub_alarm WHERE digest = ?", (name,)):
            return
        kept = ("INSERT INTO hub_alarm VALUES (?, ?, ?, ?)", (name, now.isoformat(), why, signed))
        transaction.write(Entry("agent", "hub.log_inconsistent", "hub", {"why": why, "root": name}), kept)


def _check_days(database: Database, now: datetime) -> bool:
    last = last_seen(database)
    if last is None or (now.date() - last.day).days <= MOST_DAYS_WITHOUT:
        return True
    _raise_alarm(database, str(last.day), f"The hub published no root of its log since {last.day}.", now)
    return False


def _missing_blocks(reader: Reader, size: int) -> list[Statement]:
    statements: list[Statement] = []
    made: dict[int, list[bytes]] = {}
    for level, below in _LEVELS:
        last = reader.read("SELECT max(place) AS place FROM audit_block WHERE level = ?", (level,))[0]["place"]
        start = 0 if last is None else int(last) + 1
        for place in range(start, size >> level):
            under = _under(reader, made.get(below, []), below, place << (level - below))
            made.setdefault(level, []).append(merkle.fold(under))
            statements.append(("INSERT INTO audit_block VALUES (?, ?, ?)", (level, place, made[level][-1].hex())))
    return statements


def _under(reader: Reader, fresh: list[bytes], level: int, first: int) -> list[bytes]:
    kept = Stored(reader).read(level, first, merkle.BLOCK)
    if len(kept) == merkle.BLOCK:
        return kept
    # the newest were only just made, and follow those that are kept
    known = reader.read("SELECT count(*) AS n FROM audit_block WHERE level = ?", (level,))[0]["n"]
    return [*kept, *fresh[max(0, first - known) : first + merkle.BLOCK - known]]


def _last(reader: Reader, table: str) -> LogRoot | None:
    rows = reader.read(f"SELECT signed FROM {table} ORDER BY day DESC LIMIT 1")  # noqa: S608 - one of two names
    return _inside(rows[0]["signed"]) if rows else None


def _inside(signed: str) -> LogRoot:
    """A root that this Trust signed or verified itself, and kept."""
    body = signed.split(".")[1]
    return LogRoot.parse(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
