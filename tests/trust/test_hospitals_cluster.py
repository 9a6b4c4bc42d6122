"""Every command that has ``--dask``, on a hospital's own cluster: a scheduler and two workers, real programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import distributed
import polars as pl
import pytest
from flip_trust import scaleout
from flip_trust.cli import app
from flip_trust.config import TrustConfig
from flip_trust.ingest.hl7 import load as hl7_loading
from flip_trust.ingest.hl7 import pieces
from flip_trust.ingest.hl7.load import load_file
from flip_trust.scaleout import Where
from flip_trust.setup import settings_text
from typer.testing import CliRunner

from tests.trust.features.images.hospital import Hospital, series
from tests.trust.features.images.test_image_rows import ASKED, SMALL
from tests.trust.imaging.senders import Study
from tests.trust.ingest import samples
from tests.trust.ingest.hl7_samples import message

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("hospitals_cluster")]
SECONDS = 120
NOBODY = "tcp://127.0.0.1:9"


@dataclass
class Cluster:
    """Its address, and its workers' programs."""

    address: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)


def started(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:], "--no-dashboard"]
    command += ["--host", "127.0.0.1"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    where = folder / "scheduler.json"
    programs = [started(folder, "scheduler", "--port", "0", "--scheduler-file", str(where))]
    more = ("--scheduler-file", str(where), "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
    programs += [started(folder, "worker", *more) for _ in range(2)]
    try:
        with distributed.Client(scheduler_file=str(where), timeout=SECONDS) as client:
            client.wait_for_workers(2, timeout=SECONDS)
            yield Cluster(client.scheduler.address, programs[1:])
    finally:
        for program in programs:
            program.kill()
            program.wait()


@pytest.fixture
def home(tmp_path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    (folder / "trust.toml").write_text(settings_text(TrustConfig(folder, "aldgate", "Aldgate")))
    return folder


def typed(home: Path, *words: object) -> str:
    done = CliRunner().invoke(app, [*map(str, words), "--home", str(home)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def table(home: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(home / "omop" / f"{name}.parquet")


def history(count: int) -> list[bytes]:
    pid = "PID|1||RX{0}^^^RX1^MR||Doe^J||19700101|F"
    return [message("ADT^A31", control=f"c{n}", pid=pid.format(n % 50)) for n in range(count)]


def test_ingest_fhir(cluster, home, tmp_path):
    lines = [json.dumps({**samples.PATIENT, "id": f"p{n}", "identifier": []}) for n in range(20)]
    (tmp_path / "Patient.ndjson").write_text("\n".join(lines))
    typed(home, "ingest", "fhir", tmp_path / "Patient.ndjson", "--dask", cluster.address)
    assert len(table(home, "person")) == 20


def test_ingest_omop(cluster, home, tmp_path):
    rows = [f"{n},0,1970,0,0" for n in range(500)]
    head = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id"
    (tmp_path / "person.csv").write_text("\n".join([head, *rows]))
    typed(home, "ingest", "omop", tmp_path / "person.csv", "--dask", cluster.address)
    assert table(home, "person")["person_id"].to_list() == list(range(500))


def test_ingest_hl7(cluster, home, tmp_path):
    (tmp_path / "m.hl7").write_bytes(b"".join(history(100)))
    typed(home, "ingest", "hl7", tmp_path / "m.hl7", "--dask", cluster.address)
    assert len(table(home, "person")) == 50


def test_deid(cluster, home, tmp_path):
    Study().write(tmp_path / "in", 3)
    told = typed(home, "deid", tmp_path / "in", tmp_path / "out", "--dask", cluster.address)
    assert "3 de-identified" in told


def test_ingest_dicom_takes_indexes_and_de_identifies(cluster, home, tmp_path):
    Study().write(tmp_path / "in", 3)
    told = typed(home, "ingest", "dicom", tmp_path / "in", "--keep-free", "0", "--dask", cluster.address)
    assert "3 new" in told
    assert "De-identified: 3" in told
    assert len(table(home, "image_occurrence")) == 1


@pytest.mark.slow
def test_images_for_jobs(cluster, home, tmp_path):
    hospital = Hospital(home)
    for person in (1, 2):
        hospital.send(person, date(2024, 1, person), series(scan=SMALL))
    hospital.clean()
    (tmp_path / "images.json").write_text(ASKED.model_dump_json())
    told = typed(home, "features", "warm", tmp_path / "images.json", "--dask", cluster.address)
    assert "2 images of 2 series or slides are kept" in told


@pytest.mark.parametrize("kind", ["fhir", "omop", "hl7", "dicom"])
def test_where_no_scheduler_answers_it_is_said(home, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(scaleout, "CONNECT_SECONDS", 1)
    source = {"fhir": "b.ndjson", "omop": "person.csv", "hl7": "m.hl7", "dicom": "in"}[kind]
    (tmp_path / "b.ndjson").write_text(json.dumps(samples.PATIENT))
    (tmp_path / "person.csv").write_text("person_id\n1\n")
    (tmp_path / "m.hl7").write_bytes(history(1)[0])
    Study().write(tmp_path / "in", 1)
    more = ["--keep-free", "0"] if kind == "dicom" else []
    given = ["ingest", kind, str(tmp_path / source), "--home", str(home), "--dask", NOBODY, *more]
    done = CliRunner().invoke(app, given, env={"COLUMNS": "200"})

    assert done.exit_code == 1
    assert f"No Dask scheduler answers at {NOBODY}." in done.output


def test_a_worker_that_is_killed_stops_nothing(cluster, home, tmp_path, monkeypatch):
    """Last, as one worker is left then."""
    monkeypatch.setattr(pieces, "MESSAGES_A_PIECE", 10)
    monkeypatch.setattr(hl7_loading, "PIECES_AT_A_TIME", 4)
    told = history(400)
    (tmp_path / "m.hl7").write_bytes(b"".join(told))
    moved: list[int] = []

    def advance(count: int) -> None:
        if not moved:
            os.kill(cluster.workers[0].pid, signal.SIGKILL)
        moved.append(count)

    report = load_file(home, tmp_path / "m.hl7", Where(cluster.address), advance)

    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert report.read["messages"] == len(told)
    assert report.refused == {}
    assert len(table(home, "person")) == 50
