"""The two outputs that docs/for-reviewers.md works through are found to be as it says."""

from __future__ import annotations

import re
from pathlib import Path

from flip_hub.cli import app
from typer.testing import CliRunner

GUIDE = (Path(__file__).resolve().parents[4] / "docs" / "for-reviewers.md").read_text("utf-8")


def test_the_bad_output_has_its_small_cells_marked(tmp_path: Path) -> None:
    table = re.search(r"```text\n(ward.*?)```", GUIDE, re.DOTALL)
    assert table is not None
    (tmp_path / "table1.csv").write_text(table[1])

    told = CliRunner().invoke(app, ["airlock", "check", str(tmp_path), "--limits", "nhs-england"]).output

    assert "small" in told
    assert "flag" in told


def test_the_good_output_holds_no_small_count(tmp_path: Path) -> None:
    lines = re.search(r"\| trust \| persons .*?\n\n", GUIDE, re.DOTALL)
    assert lines is not None
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[0].strip().splitlines()]
    (tmp_path / "figures.csv").write_text("\n".join(",".join(row) for row in rows if not set(row[0]) <= {"-"}) + "\n")

    told = CliRunner().invoke(app, ["airlock", "check", str(tmp_path)]).output

    assert "small" not in told
