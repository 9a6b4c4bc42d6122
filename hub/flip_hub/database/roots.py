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
        self._place, self._block = -1, list[bytes]()

    def read(self, level: int, first: int, count: int) -> list[bytes]:
        """Hashes side by side, from the entries or from the kept blocks."""
        if level == 0:
            place, start = divmod(first, merkle.BLOCK)
            # proofs of neighbours read the same leaves
            if place != self._place:
                self._place, self._block = place, self._leaves(place)
            return self._block[start : start + count]
        kept = select(AuditBlock.hash).where(
            AuditBlock.level == level, AuditBlock.place.between(first, first + count - 1)
        )
        return [bytes.fromhex(found) for found in self._session.scalars(kept.order_by(AuditBlock.place))]

    def _leaves(self, place: int) -> list[bytes]:
        first = place << merkle.BLOCK_BITS
        rows = select(AuditRow.sequence, AuditRow.hash).where(
            AuditRow.sequence.between(first + 1, first + merkle.BLOCK)
        )
        found = self._session.execute(rows.order_by(AuditRow.sequence)).all()
        # a gap must not move others into its place
        whole = [row for number, row in enumerate(found, start=first + 1) if row.sequence == number]
        return [merkle.leaf(row.hash) for row in whole]


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
