"""Messages into OMOP: from a file, or from the journal on from where the last run came to.

The place in the journal is written after the tables are, and mapping a message twice changes nothing: a run that is
killed is simply run again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from flip_trust.deidentification.keyed import Keyed
from flip_trust.errors import IngestError
from flip_trust.ingest import links, mapping, merges, people, periods, quarantine, store, vocabulary
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.events import Code, Event, UnusableError
from flip_trust.ingest.hl7 import journal, messages, reading
from flip_trust.ingest.hl7.journal import Position
from flip_trust.ingest.hl7.listener import JOURNAL_FOLDER
from flip_trust.ingest.hl7.who import Identities, Who
from flip_trust.ingest.quarantine import Refused
from flip_trust.ingest.report import MappingReport
from flip_trust.keys import write_private

MESSAGES_AT_A_TIME = 20_000
PLACE_FILE = Path("hl7", "mapped.json")
Named = tuple[str, bytes]


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


def load_file(home: Path, file: Path) -> MappingReport:
    """Map the messages of a file; doing it again changes nothing.

    Raises:
        IngestError: the file cannot be read, or holds no message.
    """
    report = MappingReport("HL7 messages")
    try:
        raw = list(messages.messages_of(file.read_bytes()))
    except OSError as error:
        raise IngestError(f"{file} cannot be read.", "Give a file of HL7 version 2 messages.") from error
    if not raw:
        raise IngestError(f"There is no message in {file}.", "Give a file of HL7 version 2 messages.")
    refused = _map_all(home, ((f"message {n}", one) for n, one in enumerate(raw, start=1)), report)
    _keep(home, quarantine.digest_of(file), refused, report)
    merges.apply(home, report)
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    return report


def load_journal(home: Path) -> MappingReport:
    """Map what the listener took since the last run."""
    report = MappingReport("HL7 messages")
    records = journal.read(home / JOURNAL_FOLDER, _place(home))
    while batch := list(islice(records, MESSAGES_AT_A_TIME)):
        named = ((f"journal {at.file}, up to byte {at.offset}", raw) for at, raw in batch)
        refused = _map_all(home, named, report)
        _keep(home, f"journal {batch[0][0]}".encode(), refused, report)
        merges.apply(home, report)
        vocabulary.refresh_used(home)
        write_private(home / PLACE_FILE, json.dumps(batch[-1][0]._asdict()).encode())
    # also where nothing came: a run that was killed may have left it undone
    merges.apply(home, report)
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    return report


def _map_all(home: Path, named: Iterable[Named], report: MappingReport) -> list[Refused]:
    keyed, refused = Keyed.load(home), []
    iterator = iter(named)
    while part := list(islice(iterator, MESSAGES_AT_A_TIME)):
        identities = Identities(home, keyed)
        identities.remember(_merging(raw for _, raw in part))
        batch = _Batch(keyed, identities, people.in_table(home))
        for name, raw in part:
            try:
                _read(raw, batch, report)
            except (messages.RejectedError, UnusableError) as error:
                refused.append(Refused(name, str(error), raw.decode("latin-1")))
        _write(home, batch, report)
    return refused


def _merging(raw: Iterable[bytes]) -> Iterator[list[str]]:
    """The numbers of patients whom these messages merge."""
    for one in raw:
        if b"MRG" not in one:
            continue
        with contextlib.suppress(messages.RejectedError, UnusableError):
            for kept, gone in reading.merges_of(messages.parse(one)):
                yield kept + gone


def _read(raw: bytes, batch: _Batch, report: MappingReport) -> None:
    report.read["messages"] += 1
    message = messages.parse(raw)
    messages.check(message)
    kind, trigger = message.kind
    if trigger in messages.OF_ACCOUNTS:
        report.passed_over[f"{kind}^{trigger}: a merge of accounts"] += 1
        return
    if trigger in messages.MERGES:
        for kept, gone in reading.merges_of(message):
            batch.identities.merge(kept, gone)
    numbers = reading.numbers_of(message)
    if not numbers:
        raise UnusableError("PID-3: no number of a type that tells a patient from others")
    who = batch.identities.find(numbers)
    person = reading.person_row(message, who.person_id, batch.keyed)
    known = not batch.have.isdisjoint(who.same)
    if person is None and not known and trigger not in messages.MERGES:
        raise UnusableError("PID-7: no date of birth, and the person is not known here yet")
    if kind in {"ORM", "OMI"}:
        batch.orders.append(reading.image_order(message, who, batch.keyed))
    # what is said of somebody under a number that was merged away is older than what their own number tells
    if person is not None and (who.is_survivor or not known):
        batch.persons.append(person)
        batch.have.add(who.person_id)
    batch.deaths += filter(None, [reading.death_row(message, who.person_id)])
    report.read[f"{kind}^{trigger}"] += 1
    _read_visit(message, who, batch)
    if kind == "ORU":
        for result in reading.results(message, who, batch.keyed, report):
            batch.events |= {result: None} if isinstance(result, int) else {result.key: result}


def _read_visit(message: messages.Message, who: Who, batch: _Batch) -> None:
    visit = reading.visit_row(message, who, batch.keyed)
    if visit is None:
        return
    number = visit["visit_occurrence_id"]
    if message.kind[1] == "A11":
        batch.cancelled_visits.append(number)
        batch.visits = [v for v in batch.visits if v["visit_occurrence_id"] != number]
        return
    if message.kind[1] == "A13":
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


def _place(home: Path) -> Position:
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
