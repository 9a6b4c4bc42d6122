"""What a worker does with a piece: read each message, and say what its rows are if its person is who they seem.

Who a person is depends on every message before (new numbers, merges), which a worker does not know. So it takes them
for whom they were when the load began, or for somebody new, and says so; where that turns out otherwise, the message is
read again by who writes the tables. A draft so saves work and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from flip_trust import scaleout
from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import workers
from flip_trust.ingest.events import Code, Event, UnusableError
from flip_trust.ingest.hl7 import messages, reading
from flip_trust.ingest.hl7.messages import Message, RejectedError
from flip_trust.ingest.hl7.pieces import Piece
from flip_trust.ingest.hl7.who import Identities, Who

ORDERS = frozenset({"ORM", "OMI"})


@dataclass(frozen=True)
class Said:
    """What a message says of a person.

    Attributes:
        refused: why its order or a result cannot be taken; the rest is then empty.
        passed_over: what is sound and is not taken, by what it is.
    """

    person: dict[str, Any] | None = None
    death: dict[str, Any] | None = None
    visit: dict[str, Any] | None = None
    order: tuple[dict[str, Any], Code | None] | None = None
    results: Sequence[Event | int] = ()
    passed_over: Counter[str] = field(default_factory=Counter)
    refused: str = ""


@dataclass(frozen=True)
class Draft:
    """A message that was read.

    Attributes:
        refused: why it cannot be taken, whoever it is about; the rest is then empty.
        kind: type and trigger event.
        keys: of the patient's numbers.
        merges: the keys of the numbers of who stays, and of who goes.
        taken_for: the person that ``said`` is about.
        said: None where the message has to be read again.
        ids: the ids in ``said``.
    """

    refused: str = ""
    kind: tuple[str, str] = ("", "")
    keys: Sequence[int] = ()
    merges: Sequence[tuple[list[int], list[int]]] = ()
    taken_for: int = 0
    said: Said | None = None
    ids: Sequence[int] = ()

    def holds_for(self, who: Who) -> bool:
        """Whether the person is who they were taken for, and has no other ids."""
        return self.said is not None and who.same == (self.taken_for,) and who.person_id == self.taken_for


def read(home: str, mark: str, run: str, pieces: list[Piece]) -> list[list[Draft]]:
    """The drafts of each piece, one a message.

    Args:
        home: the Trust's home: whose links and key are read where the work is done, and never sent.
        mark: which key it is.
        run: tells this load from others: links are read once in each.
        pieces: in which messages are.

    Raises:
        SetupError: this worker does not see the files or the home.
    """
    keyed, known = _context(home, mark, run)
    scaleout.sees(*(piece.source for piece in pieces))
    return [[_draft(raw, keyed, known) for _, raw in piece.messages()] for piece in pieces]


def said(message: Message, who: Who, keyed: Keyed) -> Said:
    """The rows and events of a message about a person."""
    kind, passed_over = message.kind[0], Counter[str]()
    try:
        order = reading.image_order(message, who, keyed) if kind in ORDERS else None
        person, death = reading.person_row(message, who.person_id, keyed), reading.death_row(message, who.person_id)
        visit = reading.visit_row(message, who, keyed)
        results = list(reading.results(message, who, keyed, passed_over)) if kind == "ORU" else []
    except UnusableError as error:
        return Said(reading.person_row(message, who.person_id, keyed), refused=str(error))
    return Said(person, death, visit, order, results, passed_over)


@lru_cache(maxsize=1)
def _context(home: str, mark: str, _run: str) -> tuple[Keyed, Identities]:
    keyed = workers.key(Path(home), mark)
    return keyed, Identities(Path(home), keyed)


def _draft(raw: bytes, keyed: Keyed, known: Identities) -> Draft:
    try:
        message = messages.parse(raw)
        messages.check(message)
        if message.kind[1] in messages.OF_ACCOUNTS:
            return Draft(kind=message.kind)
        return _of(message, keyed, known)
    except (RejectedError, UnusableError) as error:
        return Draft(str(error))
    except Exception as error:  # noqa: BLE001 (whatever a message leads to, the rest goes on)
        return Draft(f"{type(error).__name__} here")


def _of(message: Message, keyed: Keyed, known: Identities) -> Draft:
    merges = reading.merges_of(message) if message.kind[1] in messages.MERGES else ()
    pairs = [(known.keys_of(kept), known.keys_of(gone)) for kept, gone in merges]
    numbers = reading.numbers_of(message)
    if not numbers:
        raise UnusableError("PID-3: no number of a type that tells a patient from others")
    keys = known.keys_of(numbers)
    who = known.guess(keys)
    if who is None:
        return Draft("", message.kind, keys, pairs)
    found = said(message, who, keyed)
    return Draft("", message.kind, keys, pairs, who.person_id, found, list(who.in_use))
