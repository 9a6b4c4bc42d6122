"""The commands, as they are typed."""

from __future__ import annotations

import pytest
from flip_trust.cli import app
from typer.testing import CliRunner

from tests.trust.imaging.senders import Study


@pytest.fixture
def run(tmp_path):
    (tmp_path / "trust.toml").write_text('name = "aldgate"\ntitle = "Aldgate"\n')
    return lambda *words: CliRunner().invoke(app, [*words, "--home", str(tmp_path)])


def test_a_folder_is_taken_and_indexed(run, tmp_path):
    Study().write(tmp_path / "in", 3)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    taken = run("ingest", "dicom", str(tmp_path / "in"), "--keep-free", "0")
    again = run("imaging", "index", "--again")
    status = run("imaging", "status")

    assert (taken.exit_code, again.exit_code, status.exit_code) == (0, 0, 0)
    assert "3 new" in taken.output
    assert "notes.txt" in taken.output
    assert "Indexed: 3" in again.output
    assert "De-identified: 3" in taken.output
    assert "Waiting to be indexed: 0" in status.output
    assert "Profile research-default: 3 de-identified, 0 waiting" in status.output


def test_what_is_indexed_only_is_de_identified_on_demand(run, tmp_path):
    Study().write(tmp_path / "in", 2)
    run("ingest", "dicom", str(tmp_path / "in"), "--keep-free", "0", "--no-deidentify")
    before = run("imaging", "status")
    done = run("imaging", "deidentify", "--keep-free", "0", "--remove-former")

    assert "0 de-identified, 2 waiting" in before.output
    assert done.exit_code == 0
    assert "De-identified: 2; to quarantine: 0" in done.output


@pytest.mark.parametrize(
    "words",
    [
        ("ingest", "dicom", "/nowhere/at/all"),
        ("ingest", "dicom", "/dev/null", "--keep-free", "-1"),
        ("receive", "--tls-certificate", "c.pem"),
    ],
)
def test_what_cannot_be_is_said(run, words):
    assert run(*words).exit_code == 1


def test_a_nearly_full_disk_is_said(run, tmp_path):
    Study().write(tmp_path / "in", 1)

    assert run("ingest", "dicom", str(tmp_path / "in"), "--keep-free", "1000000000").exit_code == 1
