"""Messages into OMOP: from a file, or from the journal on from where the last run came to.

Messages are read on many processes and taken here, one after the other in the order that they came in: who somebody is,
and what counts, is decided by what came before (:mod:`flip_trust.ingest.hl7.drafts` says how). How far a run came is
written after the tables are, and mapping a message twice changes nothing: a run that is killed is simply run again.
"""

from __future__ import annotations

import gc
import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from flip_trust import scaleout
from flip_trust.deidentification.keyed import Keyed
from flip_trust.errors import IngestError
from flip_trust.ingest import links, mapping, merges, people, periods, quarantine, store, vocabulary, workers
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.events import Code, Event, UnusableError
from flip_trust.ingest.hl7 import drafts, journal, messages, pieces
from flip_trust.ingest.hl7.drafts import Draft, Said
from flip_trust.ingest.hl7.journal import Position
from flip_trust.ingest.hl7.listener import JOURNAL_FOLDER
from flip_trust.ingest.hl7.pieces import FilePiece, JournalPiece, Named, Piece
from flip_trust.ingest.hl7.who import Identities, Who
from flip_trust.ingest.quarantine import Refused
from flip_trust.ingest.report import MappingReport
from flip_trust.ingest.resume import Resume
from flip_trust.keys import write_private
from flip_trust.scaleout import HERE, Where

PIECES_AT_A_TIME = 5
OBJECTS_UNTIL_COLLECTED = 1_000_000
PLACE_FILE = Path("hl7", "mapped.json")
AnyPiece = TypeVar("AnyPiece", FilePiece, JournalPiece)


@dataclass
class _Batch:
    """What was read and is not written yet.

    Attributes:
        keyed: for ids.
        identities: who everybody is.
        have: the persons who have a row of ``person``, or will.
        reopened: visits whose discharge was cancelled.
    """

    keyed: Keyed
    identities: Identities
    have: set[int]
    persons: list[dict[str, Any]] = field(default_factory=list)
    deaths: list[dict[str, Any]] = field(default_factory=list)
    visits: list[dict[str, Any]] = field(default_factory=list)
    events: dict[int, Event | None] = field(default_factory=dict)
    orders: list[tuple[dict[str, Any], Code | None]] = field(default_factory=list)
    cancelled_visits: list[int] = field(default_factory=list)
    reopened: set[int] = field(default_factory=set)

    def add(self, said: Said) -> None:
        """Take what a message says, but for its person and its visit."""
        self.deaths += [said.death] if said.death else []
        self.orders += [said.order] if said.order else []
        for result in said.results:
            self.events |= {result: None} if isinstance(result, int) else {result.key: result}


def load_file(
    home: Path, file: Path, where: Where = HERE, advance: Callable[[int], object] = lambda _: None
) -> MappingReport:
    """Map the messages of a file; doing it again changes nothing.

    A load that was interrupted goes on where it stopped, if its file is the same.

    Args:
        home: the Trust's home.
        file: messages one after the other, or in MLLP's frames.
        where: on what messages are read; who is who is decided here, message by message, and tables are written here.
        advance: is told how many bytes were read.

    Raises:
        IngestError: the file cannot be read, or holds no message.
        SetupError: the cluster cannot be used.
    """
    report = MappingReport("HL7 messages")
    resume = Resume.of(home, "hl7", [file])
    resume.tell(report)
    is_begun = bool(resume.done)
    try:
        todo = [piece for piece in pieces.of_file(file) if piece.number not in resume.done]
    except OSError as error:
        raise IngestError(f"{file} cannot be read.", "Give a file of HL7 version 2 messages.") from error
    for done, refused in _map_all(home, todo, where, advance, report):
        for piece in done:
            resume.note(piece.number, piece.source, [])
        resume.note(done[-1].number, str(file.absolute()), refused)
        resume.save()
    if not report.read["messages"] and not is_begun:
        resume.end()
        raise IngestError(f"There is no message in {file}.", "Give a file of HL7 version 2 messages.")
    _keep(home, quarantine.digest_of(file), resume.refused[str(file.absolute())], report)
    merges.apply(home, report)
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    resume.end()
    return report


def load_journal(home: Path, where: Where = HERE, advance: Callable[[int], object] = lambda _: None) -> MappingReport:
    """Map what the listener took since the last run; the arguments are those of :func:`load_file`."""
    report = MappingReport("HL7 messages")
    for done, refused in _map_all(
        home, pieces.of_journal(home / JOURNAL_FOLDER, place_of(home)), where, advance, report
    ):
        # named after where its first message ends
        _keep(home, f"journal {done[0].first}".encode(), refused, report)
        merges.apply(home, report)
        vocabulary.refresh_used(home)
        write_private(home / PLACE_FILE, json.dumps(done[-1].end._asdict()).encode())
    # also where nothing came: a run that was killed may have left it undone
    merges.apply(home, report)
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    return report


def _map_all(
    home: Path, todo: Iterable[AnyPiece], where: Where, advance: Callable[[int], object], report: MappingReport
) -> Iterator[tuple[list[AnyPiece], list[Refused]]]:
    """So many pieces at a time, once they are in the tables, with what was refused of them."""
    keyed = Keyed.load(home)
    # millions of small objects without a cycle: looking for some took half the time
    gc.set_threshold(OBJECTS_UNTIL_COLLECTED)
    work = partial(drafts.read, str(home.absolute()), workers.mark_of(keyed), secrets.token_hex(8))
    read = scaleout.run(work, ([piece] for piece in todo), where, in_order=True)
    for part in scaleout.batched(_each(read, advance), PIECES_AT_A_TIME):
        batch = _Batch(keyed, Identities(home, keyed), people.in_table(home))
        batch.identities.remember(
            keys for _, found in part for draft in found for pair in draft.merges for keys in pair
        )
        refused: list[Refused] = []
        for piece, found in part:
            _take_piece(piece, found, batch, refused, report)
        _write(home, batch, report)
        yield [piece for piece, _ in part], refused


def _each(
    read: Iterable[scaleout.Done[AnyPiece, list[list[Draft]]] | scaleout.Failed[AnyPiece]],
    advance: Callable[[int], object],
) -> Iterator[tuple[AnyPiece, list[Draft]]]:
    for ended in read:
        if isinstance(ended, scaleout.Done):
            [piece], [found] = ended.items, ended.result
        else:
            piece = ended.item
            found = [Draft(f"its part of the messages could not be read ({ended.why})")] * len(piece.messages())
        yield piece, found
        advance(piece.length)


def _take_piece(piece: Piece, found: list[Draft], batch: _Batch, refused: list[Refused], report: MappingReport) -> None:
    @cache
    def named() -> list[Named]:
        return piece.messages()

    def raw(at: int) -> bytes:
        return named()[at][1]

    for at, draft in enumerate(found):
        try:
            _take(draft, partial(raw, at), batch, report)
        except UnusableError as error:
            refused.append(Refused(named()[at][0], str(error), raw(at).decode("latin-1")))


def _take(draft: Draft, raw: Callable[[], bytes], batch: _Batch, report: MappingReport) -> None:
    report.read["messages"] += 1
    if draft.refused:
        raise UnusableError(draft.refused)
    kind, trigger = draft.kind
    if trigger in messages.OF_ACCOUNTS:
        report.passed_over[f"{kind}^{trigger}: a merge of accounts"] += 1
        return
    for kept, gone in draft.merges:
        batch.identities.merge(kept, gone)
    who = batch.identities.find(draft.keys)
    said = _said(draft, raw, who, batch.keyed)
    known = not batch.have.isdisjoint(who.same)
    if said.person is None and not known and trigger not in messages.MERGES:
        raise UnusableError("PID-7: no date of birth, and the person is not known here yet")
    if said.refused:
        raise UnusableError(said.refused)
    # what is said of somebody under a number that was merged away is older than what their own number tells
    if said.person is not None and (who.is_survivor or not known):
        batch.persons.append(said.person)
        batch.have.add(who.person_id)
    batch.add(said)
    report.read[f"{kind}^{trigger}"] += 1
    report.passed_over += said.passed_over
    if said.visit:
        _take_visit(trigger, said.visit, batch)


def _said(draft: Draft, raw: Callable[[], bytes], who: Who, keyed: Keyed) -> Said:
    if draft.said is None or not draft.holds_for(who):
        return drafts.said(messages.parse(raw()), who, keyed)
    who.in_use.update(draft.ids)
    return draft.said


def _take_visit(trigger: str, visit: dict[str, Any], batch: _Batch) -> None:
    number = visit["visit_occurrence_id"]
    if trigger == "A11":
        batch.cancelled_visits.append(number)
        batch.visits = [v for v in batch.visits if v["visit_occurrence_id"] != number]
        return
    if trigger == "A13":
        batch.reopened.add(number)
        for before in batch.visits:
            if before["visit_occurrence_id"] == number:
                before |= {"visit_end_date": None, "visit_end_datetime": None}
    batch.visits.append(visit)
    batch.cancelled_visits = [v for v in batch.cancelled_visits if v != number]


def _write(home: Path, batch: _Batch, report: MappingReport) -> None:
    codes = [code for _, code in batch.orders if code]
    concepts = mapping.concepts_of(codes, vocabulary.Vocabulary(home), report)
    orders = [row | {"procedure_concept_id": concepts.get(code, 0) if code else 0} for row, code in batch.orders]
    links.add(home, batch.identities.taken())
    with store.writing(home / "omop"):
        people.merge(home, "person", batch.persons, report, amend=True)
        people.merge(home, "death", batch.deaths, report, amend=True)
        people.merge_visits(home, batch.visits, report, batch.reopened)
        report.withdrawn += store.remove(
            home / "omop", definition("visit_occurrence"), "visit_occurrence_id", batch.cancelled_visits
        )
        people.merge(home, "image_order", orders, report, amend=True)
    events = [event for event in batch.events.values() if event is not None]
    mapping.place(home, events, (key for key, event in batch.events.items() if event is None), report)


def place_of(home: Path) -> Position:
    """Where in the journal the last run came to.

    Raises:
        IngestError: the file that says so is damaged.
    """
    path = home / PLACE_FILE
    try:
        return Position(**json.loads(path.read_text("utf-8"))) if path.exists() else journal.START
    except (OSError, ValueError, TypeError) as error:
        raise IngestError(f"{path} cannot be read.", "Remove it: the whole journal is mapped again then.") from error


def _keep(home: Path, source: bytes, refused: list[Refused], report: MappingReport) -> None:
    kept = quarantine.keep(home, "hl7", source, refused)
    if kept:
        report.kept_in.append(kept)
    for one in refused:
        report.refused[one.reason] += 1
