"""The commands, as an operator types them."""

from __future__ import annotations

import json

import polars as pl
import pytest
from flip_trust.cli import app
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.setup import settings_text
from typer.testing import CliRunner

from tests.trust.ingest import samples
from tests.trust.ingest.hl7_samples import ADMISSION, RESULT


@pytest.fixture
def run(home):
    (home / "trust.toml").write_text(settings_text(TrustConfig(home, "aldgate", "Aldgate")))

    Database.open(home / "trust.db", create=True).close()

    def invoke(*words: object, code: int = 0) -> str:
        given = [*map(str, words), "--home", str(home)]
        result = CliRunner().invoke(app, given, env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output

    return invoke


def test_records_in_from_every_source(run, home, tmp_path):
    run("ingest", "vocabulary", samples.athena(tmp_path / "athena"))
    bad = samples.OBSERVATION | {"status": "finished", "id": "bad"}
    bundle = samples.bundle(tmp_path / "b.json", *samples.RESOURCES, bad)
    shown = run("ingest", "fhir", bundle, "--report", tmp_path / "report.json")
    told = json.loads((tmp_path / "report.json").read_text())

    assert "Observation.status: not one of" in shown
    assert told["unmapped"] == [{"system": "LOINC", "code": "unheard-of", "uses": 1}]
    assert told["loaded"]["person"] == 1
    assert [one["count"] for one in told["refused"]] == [1]
    for table in ("person", "condition_occurrence"):
        assert table in shown
    (tmp_path / "m.hl7").write_bytes(ADMISSION + RESULT)
    run("ingest", "hl7", tmp_path / "m.hl7", "--report", tmp_path / "report.html")
    assert "<td>99RX1<td>local<td>1" in (tmp_path / "report.html").read_text()
    run("ingest", "hl7")
    (tmp_path / "person.csv").write_text("person_id,gender_concept_id,year_of_birth,race_concept_id\n5,0,1970,0\n")
    assert "ethnicity_concept_id: missing" in run("ingest", "omop", tmp_path / "person.csv")
    assert len(pl.read_parquet(home / "omop" / "person.parquet")) == 1


def test_no_identifier_is_shown_or_told(run, tmp_path):
    wrong = [samples.PATIENT | {"gender": samples.NHS_NUMBER}, samples.PATIENT | {"birthDate": samples.NHS_NUMBER}]
    wrong += [samples.OBSERVATION | {"status": samples.NHS_NUMBER}]
    bundle = samples.bundle(tmp_path / "b.json", *wrong)
    shown = run("ingest", "fhir", bundle, "--report", tmp_path / "report.json")
    (tmp_path / "m.hl7").write_bytes(ADMISSION.replace(b"19700405", samples.NHS_NUMBER.encode()))
    shown += run("ingest", "hl7", tmp_path / "m.hl7", "--report", tmp_path / "report.html")
    shown += (tmp_path / "report.json").read_text() + (tmp_path / "report.html").read_text()

    assert samples.NHS_NUMBER not in shown
    assert samples.HOSPITAL_NUMBER not in shown


def test_what_cannot_be_read_is_told_with_its_mend(run, tmp_path):
    for words in (("omop", tmp_path), ("fhir", tmp_path), ("vocabulary", tmp_path), ("hl7", tmp_path / "none")):
        run("ingest", *words, code=1)
    run("ingest", "hl7", "--listen", "nowhere", code=1)
    run("ingest", "hl7", "--listen", "203.0.113.1:9", code=1)
    run("ingest", "optouts", tmp_path / "none", code=1)


def test_opt_outs_and_quality(run, home, tmp_path):
    (tmp_path / "list").write_text(f"{samples.NHS_NUMBER}\n1234567890\n")
    assert "lines 2" in run("ingest", "optouts", tmp_path / "list", code=1)
    audited = Database.open(home / "trust.db").read("SELECT event, details FROM audit")
    assert audited == [{"event": "optouts.taken", "details": '{"whole_list":false}'}]
    run("ingest", "fhir", samples.bundle(tmp_path / "b.json", *samples.RESOURCES))
    assert "checks passed" in run("quality", "--report", tmp_path / "quality.html")
    assert "<svg" in (tmp_path / "quality.html").read_text()
