from __future__ import annotations

import json
from pathlib import Path

import pytest
from flip_hub.cli import app
from flip_hub.config import HubConfig
from typer.testing import CliRunner

STATEMENT = """
files:
  - path: a.csv
    title: Persons by stage
    counts: [persons]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.csv").write_text("sex,persons,stage\nwomen,120,3\nmen,95,4\n")
    return tmp_path / "out"


def test_a_folder_is_checked_with_what_is_said_of_its_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "said.yaml").write_text(STATEMENT)
    alone = CliRunner().invoke(app, ["airlock", "check", str(folder)])
    said = CliRunner().invoke(
        app, ["airlock", "check", str(folder), "--statement", str(tmp_path / "said.yaml"), "--json"]
    )

    assert (alone.exit_code, "table.small_count" in alone.output, "2:3" in alone.output) == (1, True, True)
    assert said.exit_code == 0
    assert [file["verdict"] for file in json.loads(said.output)] == ["pass"]


def test_the_limits_are_the_hubs_own(folder: Path, tmp_path: Path, monkeypatch) -> None:
    (folder / "a.csv").write_text("sex,persons\nwomen,121\nmen,97\n")
    monkeypatch.delenv("FLIP_HUB_HOME", raising=False)
    alone = CliRunner().invoke(app, ["airlock", "check", str(folder)])
    assert (alone.exit_code, f"limits {HubConfig.disclosure_limits}" in alone.output) == (0, True)
    monkeypatch.setenv("FLIP_HUB_HOME", str(tmp_path))
    (tmp_path / "hub.toml").write_text('disclosure_limits = "nhs-england"\n')
    at_home = CliRunner().invoke(app, ["airlock", "check", str(folder)])
    assert (at_home.exit_code, "limits nhs-england" in at_home.output) == (1, True)
    asked = CliRunner().invoke(app, ["airlock", "check", str(folder), "--limits", "acro"])
    assert (asked.exit_code, "limits acro" in asked.output) == (0, True)


@pytest.mark.parametrize(
    "text", ["files: 7", "files: [{path: b.csv}]", "files: [{path: a.csv, leaves: perhaps}]", "\x00"]
)
def test_a_statement_that_cannot_be_used_is_told(folder: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "said.yaml").write_text(text)

    assert (
        CliRunner().invoke(app, ["airlock", "check", str(folder), "--statement", str(tmp_path / "said.yaml")]).exit_code
        == 1
    )
