"""Messages into OMOP: from a file, or from the journal on from where the last run came to.

The place in the journal is written after the tables are, and mapping a message twice changes nothing: a run that is
killed is simply run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from flip_trust.deidentification.keyed import Keyed
from flip_trust.errors import IngestError
from flip_trust.ingest import links, mapping, people, periods, quarantine, store, vocabulary
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.events import Code, Event, UnusableError
from flip_trust.ingest.hl7 import journal, messages, reading
from flip_trust.ingest.hl7.journal import Position
from flip_trust.ingest.hl7.listener import JOURNAL_FOLDER
from flip_trust.ingest.quarantine import Refused
from flip_trust.ingest.report import MappingReport
from flip_trust.keys import write_private

MESSAGES_AT_A_TIME = 20_000
PLACE_FILE = Path("hl7", "mapped.json")
Named = tuple[str, bytes]


@dataclass
class _Batch:
    """What was read and is not written yet."""

    links: list[tuple[str, int, int]] = field(default_factory=list)
    persons: list[dict[str, Any]] = field(default_factory=list)
    deaths: list[dict[str, Any]] = field(default_factory=list)
    visits: list[dict[str, Any]] = field(default_factory=list)
    events: dict[int, Event | None] = field(default_factory=dict)
    orders: list[tuple[dict[str, Any], Code | None]] = field(default_factory=list)
    cancelled_visits: list[int] = field(default_factory=list)


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
        vocabulary.refresh_used(home)
        write_private(home / PLACE_FILE, json.dumps(batch[-1][0]._asdict()).encode())
    # also where nothing came: a run that was killed may have left it undone
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    return report


def _map_all(home: Path, named: Iterable[Named], report: MappingReport) -> list[Refused]:
    keyed, refused = Keyed.load(home), []
    iterator = iter(named)
    while part := list(islice(iterator, MESSAGES_AT_A_TIME)):
        known = links.known_numbers(home)
        have = _persons(home)
        batch = _Batch()
        for name, raw in part:
            try:
                _read(raw, keyed, known, have, batch, report)
            except (messages.RejectedError, UnusableError) as error:
                refused.append(Refused(name, str(error), raw.decode("latin-1")))
        _write(home, batch, report)
    return refused


def _read(
    raw: bytes, keyed: Keyed, known: dict[int, int], have: set[int], batch: _Batch, report: MappingReport
) -> None:
    report.read["messages"] += 1
    message = messages.parse(raw)
    messages.check(message)
    kind, trigger = message.kind
    numbers = reading.numbers_of(message)
    if not numbers:
        raise UnusableError("PID-3: no number of a type that tells a patient from others")
    person_id = people.identify(keyed, numbers, known)
    person = reading.person_row(message, person_id, keyed)
    if person is None and person_id not in have:
        raise UnusableError("PID-7: no date of birth, and the person is not known here yet")
    made: list[tuple[dict[str, Any], Code | None]] = []
    if kind in {"ORM", "OMI"}:
        made.append(reading.image_order(message, person_id, keyed))
    batch.orders += made
    batch.links += [(links.NUMBER, links.key_of(keyed, number), person_id) for number in numbers]
    if person is not None:
        batch.persons.append(person)
        have.add(person_id)
    batch.deaths += filter(None, [reading.death_row(message, person_id)])
    report.read[f"{kind}^{trigger}"] += 1
    visit = reading.visit_row(message, person_id, keyed)
    if visit is not None and trigger == "A11":
        batch.cancelled_visits.append(visit["visit_occurrence_id"])
        batch.visits = [v for v in batch.visits if v["visit_occurrence_id"] != visit["visit_occurrence_id"]]
    elif visit is not None:
        batch.visits.append(visit)
        batch.cancelled_visits = [v for v in batch.cancelled_visits if v != visit["visit_occurrence_id"]]
    if kind == "ORU":
        for result in reading.results(message, person_id, keyed, report):
            batch.events |= {result: None} if isinstance(result, int) else {result.key: result}


def _write(home: Path, batch: _Batch, report: MappingReport) -> None:
    codes = [code for _, code in batch.orders if code]
    concepts = mapping.concepts_of(codes, vocabulary.Vocabulary(home), report)
    orders = [row | {"procedure_concept_id": concepts.get(code, 0) if code else 0} for row, code in batch.orders]
    links.add(home, batch.links)
    with store.writing(home / "omop"):
        people.merge(home, "person", batch.persons, report, amend=True)
        people.merge(home, "death", batch.deaths, report, amend=True)
        people.merge_visits(home, batch.visits, report)
        report.withdrawn += store.remove(
            home / "omop", definition("visit_occurrence"), "visit_occurrence_id", batch.cancelled_visits
        )
        people.merge(home, "image_order", orders, report, amend=True)
    events = [event for event in batch.events.values() if event is not None]
    mapping.place(home, events, (key for key, event in batch.events.items() if event is None), report)


def _persons(home: Path) -> set[int]:
    frame = store.read(home / "omop" / "person.parquet")
    return set(frame["person_id"]) if frame is not None else set()


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
