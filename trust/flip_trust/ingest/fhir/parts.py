"""What a worker does with a piece: read it, check it, and say what it holds; the rows are written by who asked."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from flip_trust import scaleout
from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import links, workers
from flip_trust.ingest.events import Code, Event, UnusableError
from flip_trust.ingest.fhir import resources
from flip_trust.ingest.fhir.checks import check
from flip_trust.ingest.fhir.pieces import Piece
from flip_trust.ingest.fhir.reading import Placed
from flip_trust.ingest.quarantine import Refused

TYPES = ("Patient", "Encounter", "ImagingStudy", *resources.EVENTS)


@dataclass
class Patients:
    """Of a piece: its Patients that are valid, and the codings of its Medications."""

    found: list[Placed] = field(default_factory=list)
    drugs: dict[str, Any] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    read: int = 0


@dataclass
class Part:
    """What was read of everything else, and is not written yet.

    Attributes:
        read: resources by type.
        passed_over: what is sound and is not taken, by what it is.
    """

    visits: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    images: list[tuple[dict[str, Any], Code | None]] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    withdrawn_visits: list[int] = field(default_factory=list)
    withdrawn_images: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    size: int = 0

    def add(self, other: Part) -> None:
        """Put what comes after behind it, but for what was refused and counted."""
        self.visits += other.visits
        self.events += other.events
        self.images += other.images
        self.withdrawn += other.withdrawn
        self.withdrawn_visits += other.withdrawn_visits
        self.withdrawn_images += other.withdrawn_images
        self.size += other.size


def read_patients(pieces: list[Piece]) -> list[Patients]:
    """The patients of each piece.

    Raises:
        SetupError: this worker does not see the files.
    """
    scaleout.sees(*(piece.file for piece in pieces))
    return [_patients(piece) for piece in pieces]


def read_others(home: str, mark: str, drugs: str, run: str, pieces: list[Piece]) -> list[Part]:
    """Everything else in each piece.

    Args:
        home: the Trust's home: whose links and key are read where the work is done, and never sent.
        mark: which key it is.
        drugs: a file of the codings of Medications, by their id.
        run: tells this load from others: links are read once in each.
        pieces: whose patients were loaded before.

    Raises:
        SetupError: this worker does not see the files or the home.
    """
    context = _context(home, mark, drugs, run)
    scaleout.sees(*(piece.file for piece in pieces))
    return [_others(piece, context) for piece in pieces]


@lru_cache(maxsize=1)
def _context(home: str, mark: str, drugs: str, _run: str) -> resources.Context:
    folder = Path(home)
    return resources.Context(
        workers.key(folder, mark), links.known_resources(folder), json.loads(Path(drugs).read_bytes())
    )


def _patients(piece: Piece) -> Patients:
    part = Patients()
    for placed in piece.resources():
        if isinstance(placed, Refused):
            continue  # told when everything else is read
        resource = placed.resource
        if resource["resourceType"] == "Medication" and isinstance(resource.get("id"), str):
            part.drugs[resource["id"]] = resource.get("code")
        if resource["resourceType"] != "Patient":
            continue
        part.read += 1
        try:
            check(resource)
            part.found.append(placed)
        except UnusableError as error:
            part.refused.append(Refused(placed.where, str(error), json.dumps(resource)))
    return part


def _others(piece: Piece, context: resources.Context) -> Part:
    part = Part()
    for placed in piece.resources():
        if isinstance(placed, Refused):
            part.read["not a resource"] += 1
            part.refused.append(placed)
        elif placed.resource["resourceType"] != "Patient":
            _read(placed, context, part)
    return part


def _read(placed: Placed, context: resources.Context, part: Part) -> None:
    resource = placed.resource
    kind = resource["resourceType"]
    part.read[kind if kind in TYPES else "other resources"] += 1
    if kind not in TYPES:
        if kind != "Medication":
            part.passed_over[f"{kind[:40]}: a type that is not mapped"] += 1
        return
    part.size += 1
    try:
        _take(resource, context, part)
    except UnusableError as error:
        part.refused.append(Refused(placed.where, str(error), json.dumps(resource)))
    except Exception as error:  # noqa: BLE001 (whatever a resource leads to, the rest goes on)
        part.refused.append(Refused(placed.where, f"{kind}: {type(error).__name__} here", json.dumps(resource)))


def _take(resource: resources.Resource, context: resources.Context, part: Part) -> None:
    kind, fate = resource["resourceType"], check(resource)
    if fate == "passed over":
        part.passed_over[f"{kind} with status {resource['status']}"] += 1
    elif fate == "withdrawn":
        _withdraw(resource, context.keyed, part)
    elif kind == "Encounter":
        part.visits.append(resources.encounter(resource, context))
    elif kind == "ImagingStudy":
        part.images += list(resources.imaging_study(resource, context))
    else:
        part.events += list(resources.EVENTS[kind](resource, context))
        _count_words(resource, part)


def _withdraw(resource: resources.Resource, keyed: Keyed, part: Part) -> None:
    if resource["resourceType"] == "Encounter":
        part.withdrawn_visits.append(resources.visit_id(keyed, resource["id"]))
    elif resource["resourceType"] == "ImagingStudy":
        uids = [i.get("value") or "" for i in resource.get("identifier") or []]
        study = next((uid.removeprefix("urn:oid:") for uid in uids if uid.startswith("urn:oid:")), "")
        series = [one.get("uid") or "" for one in resource.get("series") or [{}]]
        part.withdrawn_images += [resources.image_id(keyed, study, uid) for uid in series if study or uid]
    else:
        part.withdrawn += list(resources.keys(resource, keyed))


def _count_words(resource: resources.Resource, part: Part) -> None:
    if resource["resourceType"] == "DiagnosticReport" and (resource.get("conclusion") or resource.get("presentedForm")):
        part.passed_over["DiagnosticReport: its free text or document"] += 1
    if resource["resourceType"] == "Observation" and resource.get("valueString"):
        part.passed_over["Observation: its value in free text"] += 1
