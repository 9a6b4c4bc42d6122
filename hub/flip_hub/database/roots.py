"""What the audit log's proofs are made of: hashes of whole blocks, daily roots, and who else saw them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from flip_sdk.contract import merkle
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from flip_hub.database.base import LINE, NAME, TOKEN, Base
from flip_hub.database.chain import CHAIN, AuditHead, AuditRow

_LEVELS = ((merkle.BLOCK_BITS, 0), (2 * merkle.BLOCK_BITS, merkle.BLOCK_BITS))


class AuditBlock(Base):
    """Hash over 256 or 65,536 whole entries: it follows from them, and spares reading them for each proof."""

    __tablename__ = "audit_block"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(TOKEN)


class DailyRoot(Base):
    """A signed root of a log: the hub's own (``log`` is ``hub``), or one that a Trust handed over."""

    __tablename__ = "daily_root"

    log: Mapped[str] = mapped_column(LINE, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    size: Mapped[int]
    root: Mapped[str] = mapped_column(TOKEN)
    signed: Mapped[str]
    issued_at: Mapped[datetime]


class RootSeen(Base):
    """A Trust's signed word that it saw the hub's root of a day, and that it continues those before it."""

    __tablename__ = "root_seen"

    day: Mapped[date] = mapped_column(primary_key=True)
    trust: Mapped[str] = mapped_column(NAME, primary_key=True)
    signed: Mapped[str]
    seen_at: Mapped[datetime]


class Stored:
    """The hub's log as a Merkle tree reads it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, level: int, first: int, count: int) -> list[bytes]:
        """Hashes side by side, from the entries or from the kept blocks."""
        if level == 0:
            rows = select(AuditRow.hash).where(AuditRow.sequence.between(first + 1, first + count))
            return [merkle.leaf(found) for found in self._session.scalars(rows.order_by(AuditRow.sequence))]
        kept = select(AuditBlock.hash).where(
            AuditBlock.level == level, AuditBlock.place.between(first, first + count - 1)
        )
        return [bytes.fromhex(found) for found in self._session.scalars(kept.order_by(AuditBlock.place))]


def tree(session: Session) -> merkle.Tree:
    """The log's tree as it is now."""
    head = session.get(AuditHead, CHAIN)
    return merkle.Tree(Stored(session), head.sequence if head else 0)


def missing_blocks(session: Session, most: int = 1000) -> Iterator[AuditBlock]:
    """Blocks that are whole by now and not kept yet, the oldest first."""
    head = session.get(AuditHead, CHAIN)
    size, stored = head.sequence if head else 0, Stored(session)
    for level, below in _LEVELS:
        last = session.scalar(select(func.max(AuditBlock.place)).where(AuditBlock.level == level))
        start = 0 if last is None else last + 1
        for place in range(start, min(size >> level, start + most)):
            under = stored.read(below, place << (level - below), merkle.BLOCK)
            if len(under) == merkle.BLOCK:
                yield AuditBlock(level=level, place=place, hash=merkle.fold(under).hex())
