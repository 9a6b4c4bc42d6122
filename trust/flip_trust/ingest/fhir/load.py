"""Loading FHIR: patients first, then what happened to them; one bad resource never stops the rest."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import links, mapping, merges, people, periods, quarantine, store, vocabulary
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.events import Code, Event, UnusableError
from flip_trust.ingest.fhir import patients, resources
from flip_trust.ingest.fhir.checks import check
from flip_trust.ingest.fhir.reading import Placed, files_of, resources_of
from flip_trust.ingest.quarantine import Refused
from flip_trust.ingest.report import MappingReport

RESOURCES_AT_A_TIME = 20_000
TYPES = ("Patient", "Encounter", "ImagingStudy", *resources.EVENTS)


@dataclass
class _Batch:
    """What was read and is not written yet."""

    visits: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    images: list[tuple[dict[str, Any], Code | None]] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    withdrawn_visits: list[int] = field(default_factory=list)
    withdrawn_images: list[int] = field(default_factory=list)
    size: int = 0


def load(home: Path, path: Path) -> MappingReport:
    """Load the bundles and exports at a path; loading twice changes nothing.

    Raises:
        IngestError: there is no FHIR file.
    """
    report = MappingReport("FHIR")
    keyed = Keyed.load(home)
    files = files_of(path)
    refused: dict[Path, list[Refused]] = defaultdict(list)
    persons, drugs = _load_patients(home, keyed, files, refused, report)
    context = resources.Context(keyed, persons, drugs)
    batch = _Batch()
    for file in files:
        for placed in _of_other_types(file):
            _read(placed, context, batch, refused[file], report)
            if batch.size >= RESOURCES_AT_A_TIME:
                _write(home, batch, report)
                batch = _Batch()
    _write(home, batch, report)
    merges.apply(home, report)
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    for file in files:
        _keep(home, file, refused[file], report)
    return report


def _load_patients(
    home: Path, keyed: Keyed, files: list[Path], refused: dict[Path, list[Refused]], report: MappingReport
) -> tuple[dict[int, int], dict[str, Any]]:
    """Write the persons; who every FHIR patient is, and the codings of Medications."""
    known, drugs = links.known_numbers(home), {}
    here = people.in_table(home)
    away = set(links.merged(home / "omop"))
    linked: list[tuple[str, int, int]] = []
    rows, deaths = [], []
    for file in files:
        for placed in resources_of(file):
            if isinstance(placed, Refused):
                report.read["not a resource"] += 1
                refused[file].append(placed)
                continue
            resource = placed.resource
            if resource["resourceType"] == "Medication" and isinstance(resource.get("id"), str):
                drugs[resource["id"]] = resource.get("code")
            if resource["resourceType"] != "Patient":
                continue
            report.read["Patient"] += 1
            try:
                check(resource)
                numbers = patients.numbers_of(resource)
                own = resources.patient_key(keyed, resource["id"])
                person = people.identify(keyed, numbers, known, own)
                row = patients.person_row(resource, person, keyed)
            except UnusableError as error:
                refused[file].append(Refused(placed.where, str(error), json.dumps(resource)))
                continue
            # what is said of somebody under a number that was merged away is older than what their own number tells
            if not numbers or links.key_of(keyed, numbers[0]) not in away or person not in here:
                rows.append(row)
            linked += [(links.NUMBER, links.key_of(keyed, number), person) for number in numbers]
            linked.append(patients.resource_link(resource, person, keyed))
            if death := patients.death_row(resource, person):
                deaths.append(death)
    links.add(home, linked)
    with store.writing(home / "omop"):
        people.merge(home, "person", rows, report)
        people.merge(home, "death", deaths, report)
    return links.known_resources(home), drugs


def _of_other_types(file: Path) -> Iterator[Placed]:
    for placed in resources_of(file):
        if isinstance(placed, Placed) and placed.resource["resourceType"] != "Patient":
            yield placed


def _read(
    placed: Placed, context: resources.Context, batch: _Batch, refused: list[Refused], report: MappingReport
) -> None:
    resource = placed.resource
    kind = resource["resourceType"]
    report.read[kind if kind in TYPES else "other resources"] += 1
    if kind not in TYPES:
        if kind != "Medication":
            report.passed_over[f"{kind[:40]}: a type that is not mapped"] += 1
        return
    batch.size += 1
    try:
        fate = check(resource)
        if fate == "passed over":
            report.passed_over[f"{kind} with status {resource['status']}"] += 1
        elif fate == "withdrawn":
            _withdraw(resource, context.keyed, batch)
        elif kind == "Encounter":
            batch.visits.append(resources.encounter(resource, context))
        elif kind == "ImagingStudy":
            batch.images += list(resources.imaging_study(resource, context))
        else:
            batch.events += list(resources.EVENTS[kind](resource, context))
            _count_words(resource, report)
    except UnusableError as error:
        refused.append(Refused(placed.where, str(error), json.dumps(resource)))


def _withdraw(resource: resources.Resource, keyed: Keyed, batch: _Batch) -> None:
    if resource["resourceType"] == "Encounter":
        batch.withdrawn_visits.append(resources.visit_id(keyed, resource["id"]))
    elif resource["resourceType"] == "ImagingStudy":
        uids = [i.get("value") or "" for i in resource.get("identifier") or []]
        study = next((uid.removeprefix("urn:oid:") for uid in uids if uid.startswith("urn:oid:")), "")
        series = [one.get("uid") or "" for one in resource.get("series") or [{}]]
        batch.withdrawn_images += [resources.image_id(keyed, study, uid) for uid in series if study or uid]
    else:
        batch.withdrawn += list(resources.keys(resource, keyed))


def _count_words(resource: resources.Resource, report: MappingReport) -> None:
    if resource["resourceType"] == "DiagnosticReport" and (resource.get("conclusion") or resource.get("presentedForm")):
        report.passed_over["DiagnosticReport: its free text or document"] += 1
    if resource["resourceType"] == "Observation" and resource.get("valueString"):
        report.passed_over["Observation: its value in free text"] += 1


def _write(home: Path, batch: _Batch, report: MappingReport) -> None:
    codes = [code for _, code in batch.images if code]
    modalities = mapping.concepts_of(codes, vocabulary.Vocabulary(home), report)
    images = [row | {"modality_concept_id": modalities.get(code, 0) if code else 0} for row, code in batch.images]
    with store.writing(home / "omop"):
        people.merge_visits(home, batch.visits, report)
        report.withdrawn += store.remove(
            home / "omop", definition("visit_occurrence"), "visit_occurrence_id", batch.withdrawn_visits
        )
        people.merge(home, "image_occurrence", images, report, amend=True)
        report.withdrawn += store.remove(
            home / "omop", definition("image_occurrence"), "image_occurrence_id", batch.withdrawn_images
        )
    mapping.place(home, batch.events, batch.withdrawn, report)


def _keep(home: Path, file: Path, refused: list[Refused], report: MappingReport) -> None:
    kept = quarantine.keep(home, "fhir", quarantine.digest_of(file), refused)
    if kept:
        report.kept_in.append(kept)
    for one in refused:
        report.refused[one.reason] += 1
