"""A bulk export in pieces: on a cluster, interrupted, out of order and with a piece that cannot be read."""

from __future__ import annotations

import json

import pytest
from flip_trust.ingest.fhir import load as loading
from flip_trust.ingest.fhir import pieces
from flip_trust.ingest.fhir.load import load
from flip_trust.ingest.fhir.pieces import pieces_of
from flip_trust.scaleout import Where

from tests.trust.ingest import samples
from tests.trust.ingest.samples import tables

MANY = 60
FILE = "fhir/load.json"


@pytest.fixture
def export(tmp_path, monkeypatch):
    """A folder as a bulk export makes it, read a few lines at a time; one line is nonsense."""
    monkeypatch.setattr(pieces, "BYTES_AT_A_TIME", 2000)
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "Patient.ndjson").write_text(
        "".join(json.dumps({**samples.PATIENT, "id": f"p{n}", "identifier": []}) + "\n" for n in range(3))
    )
    rows = [
        samples.about(
            "Observation",
            f"o{n}",
            status="final",
            code=samples.concept(samples.LOINC, "g1"),
            effectiveDateTime="2024-01-02",
            valueQuantity={"value": n},
        )
        | {"subject": {"reference": f"Patient/p{n % 3}"}}
        for n in range(MANY)
    ]
    lines = [json.dumps(row) for row in rows] + ["nonsense"]
    (folder / "Observation.1.ndjson").write_text("\n".join(lines[:40]))
    (folder / "Observation.2.ndjson").write_text("\n".join([*lines[40:], json.dumps({**rows[0], "valueInteger": 1})]))
    # the same observation once more, later: it counts
    (folder / "Observation.3.ndjson").write_text(json.dumps({**rows[1], "valueQuantity": {"value": 777}}) + "\n")
    return folder


def content(home) -> dict[str, list]:
    return {name: frame.rows() for name, frame in tables(home).items()}


def values(home) -> set[float]:
    return set(tables(home)["measurement"]["value_as_number"])


EXPECTED = {float(n) for n in range(MANY)} - {1.0} | {777.0}


def test_pieces_are_the_file(export):
    for file in sorted(export.iterdir()):
        found = list(pieces_of([file]))
        assert sum(piece.length for piece in found) == file.stat().st_size
        places = [placed.where for piece in found for placed in piece.resources()]
        assert places == [f"line {n}" for n in range(1, len(file.read_text().splitlines()) + 1)]
    assert len(list(pieces_of(sorted(export.iterdir())))) >= 10


def test_the_later_of_two_counts_and_a_bad_line_costs_itself(home, export):
    report = load(home, export)

    assert values(home) == EXPECTED
    assert report.refused.total() == 2
    kept = [json.loads(line) for path in report.kept_in for line in path.read_text().splitlines()]
    assert [one["where"] for one in kept] == ["line 21", "line 22"]


def test_a_load_that_was_interrupted_goes_on(home, export, monkeypatch):
    load(home, export)
    whole = content(home)
    for path in (home / "omop").glob("*.parquet"):
        path.unlink()
    monkeypatch.setattr(loading, "RESOURCES_AT_A_TIME", 20)
    write, calls = loading._write, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(loading, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            load(home, export)
    assert 0 < len(values(home)) < MANY
    report = load(home, export)

    assert content(home) == whole
    assert 0 < report.read["Observation"] < MANY
    assert report.passed_over["parts of the files that an interrupted load had taken before"] > 0
    assert not (home / FILE).exists()
    assert load(home, export).read["Observation"] == MANY + 2


def test_another_source_begins_at_its_beginning(home, export):
    (home / "fhir").mkdir()
    (home / FILE).write_text('{"source": "another", "done": [1, 2, 3, 4, 5, 6, 7], "refused": {}}')
    load(home, export)
    assert values(home) == EXPECTED
    (home / FILE).write_text("half a fi")
    load(home, export)
    assert values(home) == EXPECTED


def test_pieces_that_come_in_any_order_are_written_in_theirs(export, monkeypatch):
    found = list(pieces_of(sorted(export.iterdir())))
    parts = [(piece, loading.Part()) for piece in found]
    numbers = [piece.number for piece in found]

    assert [piece.number for piece, _ in loading._in_order(reversed(parts), numbers)] == numbers
    monkeypatch.setattr(loading, "MOST_AHEAD", 2)
    late = [*parts[1:], parts[0]]
    assert [p.number for p, _ in loading._in_order(late, numbers)] == [*numbers[1:], 0]


def test_a_piece_that_takes_its_worker_down_is_kept_whole(home, export):
    piece = next(pieces_of(sorted(export.iterdir())))
    [(_, part)] = loading._in_order([(piece, "it took its worker down")], [piece.number])

    assert part.refused[0].content.encode() == open(piece.file, "rb").read(piece.length)  # noqa: SIM115


@pytest.mark.slow
@pytest.mark.processes
def test_on_a_cluster_the_tables_are_the_same(home, export):
    load(home, export)
    whole = content(home)
    for path in (home / "omop").glob("*.parquet"):
        path.unlink()
    moved: list[int] = []
    report = load(home, export, Where(workers=2), moved.append)

    assert content(home) == whole
    assert report.refused.total() == 2
    assert sum(moved) == 2 * sum(file.stat().st_size for file in export.iterdir())
