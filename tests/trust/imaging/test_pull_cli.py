"""``flip-trust imaging pull`` as it is typed: from a list and from a cohort, to de-identified images."""

from __future__ import annotations

import csv
import json
import stat
from datetime import date

import polars as pl
import pytest
from flip_trust.cli import app
from flip_trust.imaging.cleaned import cleaned
from flip_trust.imaging.negotiation import Rules
from flip_trust.imaging.pacs import load, secret
from flip_trust.imaging.service import _told, runs
from typer.testing import CliRunner

from tests.trust.imaging import orthanc
from tests.trust.imaging.senders import Study


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    (home / "omop").mkdir(parents=True)
    (home / "imaging").mkdir()
    (home / "trust.toml").write_text('name = "aldgate"\ntitle = "Aldgate"\n')
    return home


def described(home, **values):
    written = "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
    (home / "pacs.toml").write_text(f"[archive]\n{written}\n")


def typed(home, *words):
    return CliRunner().invoke(app, ["imaging", "pull", "archive", *words, "--home", str(home), "--keep-free", "0"])


@pytest.mark.processes
def test_a_cohorts_studies_are_fetched_indexed_and_de_identified(home, tmp_path):
    with orthanc.running(tmp_path / "orthanc") as pacs:
        ada, bob = Study(accession="A1", patient_id="1"), Study(accession="B1", patient_id="2")
        pacs.take(tmp_path / "out", [ada.instance() for _ in range(2)], [bob.instance()])
        described(
            home, protocol="dimse", host="127.0.0.1", port=pacs.port, ae_title="PACS", receive_port=pacs.flip_port
        )
        person = {"person_id": [1, 2], "gender_concept_id": [8507, 8532], "year_of_birth": [1950, 1960]}
        pl.DataFrame(person).write_parquet(home / "omop" / "person.parquet")
        orders = {"person_id": [1, 1, 2], "accession_number": ["A1", None, "B1"], "order_date": [date(2024, 1, 1)] * 3}
        pl.DataFrame(orders).write_parquet(home / "omop" / "image_order.parquet")
        cohort = tmp_path / "cohort.json"
        cohort.write_text(json.dumps({"criteria": [{"kind": "sex", "concept_ids": [8507]}]}))
        result = typed(home, "--cohort", str(cohort), "--report", str(tmp_path / "report.csv"))

        assert result.exit_code == 0, result.output
        assert cleaned(home).collect().height == 2
        assert stat.S_IMODE((tmp_path / "report.csv").stat().st_mode) == 0o600
        rows = list(csv.DictReader((tmp_path / "report.csv").open()))
        assert [(row["accession_number"], row["outcome"], row["came"]) for row in rows] == [
            ("A1", "found and fetched", "2")
        ]
        numbers = tmp_path / "numbers.txt"
        numbers.write_text("# what we want\nA1\n\nB1\nZ9\n")
        result = typed(home, "--accessions", str(numbers))
        assert result.exit_code == 2
        assert "1: held already" in result.output
        assert "1: not found at the PACS" in result.output
        assert cleaned(home).collect().height == 3


@pytest.mark.parametrize(
    "values",
    [
        {"protocol": "dimse", "host": "h", "port": 0, "ae_title": "PACS"},
        {"protocol": "dimse", "host": "h", "port": 104, "ae_title": "A TITLE THAT IS TOO LONG"},
        {"protocol": "carrier pigeon"},
        {"protocol": "dicomweb", "url": "pacs.example/dicom-web"},
        {"protocol": "dicomweb", "url": "https://pacs.example", "password": "in the open"},
        {},
    ],
)
def test_a_description_that_cannot_be_is_said(home, values, tmp_path):
    described(home, **values)
    (tmp_path / "numbers").write_text("A1\n")

    assert typed(home, "--accessions", str(tmp_path / "numbers")).exit_code == 1


def test_what_is_missing_is_said(home, tmp_path):
    assert typed(home, "--accessions", "/nowhere").exit_code == 1
    described(home, protocol="dicomweb", url="https://127.0.0.1:1", secret_file="secret")
    assert typed(home).exit_code == 1
    assert typed(home, "--accessions", "/nowhere").exit_code == 1
    assert typed(home, "--cohort", "/nowhere").exit_code == 1
    (tmp_path / "numbers").write_text("A1\n")
    assert typed(home, "--accessions", str(tmp_path / "numbers")).exit_code == 1
    (home / "secret").write_text("Bearer abc")
    (home / "secret").chmod(0o644)
    assert typed(home, "--accessions", str(tmp_path / "numbers")).exit_code == 1
    (home / "secret").chmod(0o600)
    assert secret(home, load(home, "archive")) == "Bearer abc"


def test_a_receiver_that_runs_is_known_by_its_title_and_port_and_only_while_it_runs(home):
    assert not runs(home, "FLIP", 11112)
    with _told(home, Rules("FLIP", frozenset()).ae_title, 11112), _told(home, "SECOND", 11113):
        assert runs(home, "FLIP", 11112)
        assert not runs(home, "FLIP", 104)
    assert not runs(home, "FLIP", 11112)
