"""Loading FHIR: patients first, then what happened to them; one bad resource never stops the rest."""

from __future__ import annotations

import json
import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from flip_trust import scaleout
from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import mapping, merges, people, periods, quarantine, store, vocabulary, workers
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.events import UnusableError
from flip_trust.ingest.fhir import parts, patients
from flip_trust.ingest.fhir.parts import Part
from flip_trust.ingest.fhir.pieces import Piece, batches_of, pieces_of
from flip_trust.ingest.fhir.reading import files_of
from flip_trust.ingest.quarantine import Refused
from flip_trust.ingest.report import MappingReport
from flip_trust.ingest.resume import Resume
from flip_trust.keys import write_private
from flip_trust.scaleout import HERE, Where

RESOURCES_AT_A_TIME = 20_000
MOST_AHEAD = 64
"""Pieces that are kept until an earlier one is done, so that the later of two resources counts."""
_FAILED = "it could not be read"


def load(
    home: Path, path: Path, where: Where = HERE, advance: Callable[[int], object] = lambda _: None
) -> MappingReport:
    """Load the bundles and exports at a path; loading twice changes nothing.

    A load that was interrupted goes on where it stopped, if its files are the same.

    Args:
        home: the Trust's home.
        path: a file or a folder.
        where: on what resources are read and checked; tables are written here.
        advance: is told how many bytes were read, of twice the size of all.

    Raises:
        IngestError: there is no FHIR file.
        SetupError: the cluster cannot be used.
    """
    report = MappingReport("FHIR")
    files = files_of(path)
    resume = Resume.of(home, "fhir", files)
    refused: dict[str, list[Refused]] = defaultdict(list)
    drugs = _load_patients(home, list(pieces_of(files)), where, advance, refused, report)
    for name, earlier in resume.refused.items():
        refused[name] += earlier
    resume.tell(report)
    with _kept(home, drugs) as drugs_file:
        mark, run = workers.mark_of(Keyed.load(home)), secrets.token_hex(8)
        work = partial(parts.read_others, str(home.absolute()), mark, str(drugs_file), run)
        todo = [piece for piece in pieces_of(files) if piece.number not in resume.done]
        read = _in_order(_spread(work, todo, where, advance), [piece.number for piece in todo])
        _load_others(home, read, resume, refused, report)
    merges.apply(home, report)
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    for file in files:
        _keep(home, file, refused[str(file.absolute())], report)
    resume.end()
    return report


def _load_others(
    home: Path,
    read: Iterable[tuple[Piece, Part]],
    resume: Resume,
    refused: dict[str, list[Refused]],
    report: MappingReport,
) -> None:
    whole = Part()
    for piece, part in read:
        report.read += part.read
        report.passed_over += part.passed_over
        refused[piece.file] += part.refused
        whole.add(part)
        resume.note(piece.number, piece.file, part.refused)
        if whole.size >= RESOURCES_AT_A_TIME:
            _write(home, whole, report)
            resume.save()
            whole = Part()
    _write(home, whole, report)


def _spread(
    work: Callable[[list[Piece]], list[Any]], pieces: list[Piece], where: Where, advance: Callable[[int], object]
) -> Iterator[tuple[Piece, Any]]:
    """Each piece with what was read; with a word why, where it could not be."""
    for ended in scaleout.run(work, batches_of(pieces), where):
        if isinstance(ended, scaleout.Done):
            yield from zip(ended.items, ended.result, strict=True)
            advance(sum(piece.length for piece in ended.items))
        else:
            yield ended.item, ended.why
            advance(ended.item.length)


def _in_order(read: Iterable[tuple[Piece, Part | str]], numbers: Sequence[int]) -> Iterator[tuple[Piece, Part]]:
    """In the order of the files; a piece that is long in coming is waited for no more after so many others."""
    waiting: dict[int, tuple[Piece, Part]] = {}
    expected = deque(numbers)
    for piece, part in read:
        waiting[piece.number] = piece, part if isinstance(part, Part) else _lost(piece, part)
        while expected and (expected[0] in waiting or len(waiting) > MOST_AHEAD):
            if (number := expected.popleft()) in waiting:
                yield waiting.pop(number)
    for number in sorted(waiting):
        yield waiting[number]


def _lost(piece: Piece, why: str) -> Part:
    with Path(piece.file).open("rb") as stream:
        stream.seek(piece.offset)
        content = stream.read(piece.length).decode("utf-8", "replace")
    return Part(refused=[Refused(f"from line {piece.line} on", f"{_FAILED} ({why})", content)])


def _load_patients(
    home: Path,
    pieces: list[Piece],
    where: Where,
    advance: Callable[[int], object],
    refused: dict[str, list[Refused]],
    report: MappingReport,
) -> dict[str, Any]:
    """Write the persons; the codings of Medications by their ids."""
    keyed, drugs = Keyed.load(home), {}
    loading = patients.Loading(home, keyed)
    found = sorted(_spread(parts.read_patients, pieces, where, advance), key=lambda pair: pair[0].number)
    for piece, part in found:
        if isinstance(part, str):
            continue  # told when everything else is read
        report.read["Patient"] += part.read
        drugs.update(part.drugs)
        refused[piece.file] += part.refused
        for placed in part.found:
            try:
                loading.add(placed.resource)
            except UnusableError as error:
                refused[piece.file].append(Refused(placed.where, str(error), json.dumps(placed.resource)))
    loading.write(report)
    return drugs


@contextmanager
def _kept(home: Path, drugs: dict[str, Any]) -> Iterator[Path]:
    """A file that workers read, for as long as they do."""
    path = home / f".drugs-{secrets.token_hex(8)}.json"
    write_private(path, json.dumps(drugs).encode())
    try:
        yield path.absolute()
    finally:
        path.unlink()


def _write(home: Path, batch: Part, report: MappingReport) -> None:
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
