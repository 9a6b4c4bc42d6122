"""The SATRE report: all 185 requirements, each with evidence that ran or a gap, and never more than that."""

from __future__ import annotations

import ast
import json
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import openpyxl
import pytest
from flip_hub.cli import app
from flip_hub.errors import ConfigError
from flip_hub.satre import Evidence, Standing, judge, requirements
from flip_hub.satre import draw as draw_page
from flip_hub.satre.requirements import read
from typer.testing import CliRunner

from tests.evidence import Recorder

ROOT = Path(__file__).resolve().parents[3]
ALL = requirements().requirements
# by capability, as version 2.0 of the specification has them
NUMBERS = {
    **{"1.1": 3, "1.2": 12, "1.3": 5, "1.4": 7, "1.5": 6, "1.6": 9, "1.7": 4},
    **{"2.1": 18, "2.2": 15, "2.3": 4, "2.4": 5, "2.5": 3, "2.6": 5, "2.7": 6, "2.8": 5, "2.9": 1},
    **{"3.1": 20, "3.2": 6, "3.3": 9, "3.4": 4},
    **{"4.1": 2, "4.2": 2, "4.3": 3, "4.4": 4, "4.5": 1, "4.6": 1, "4.7": 1, "4.8": 3},
    **{"5.1": 10, "5.2": 1, "5.3": 2, "5.4": 4, "5.5": 1, "5.6": 2, "5.7": 1},
}
SOFTWARE = [
    "1.2.01",
    "1.2.02",
    "1.4.02",
    "1.4.04",
    "1.5.01",
    "1.5.03",
    "1.5.04",
    "1.5.05",
    "1.5.06",
    "1.6.04",
    "1.7.02",
    "2.1.08",
    "2.1.14",
    "2.2.10",
    "2.2.11",
    "2.2.13",
    "2.3.03",
    "2.3.04",
    "2.5.03",
    "2.8.01",
    "2.8.02",
    "3.1.04",
    "3.1.05",
    "3.1.06",
    "3.1.08",
    "3.1.12",
    "3.2.01",
    "3.2.03",
    "3.2.04",
    "3.3.05",
    "5.3.01",
]


@cache
def _functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def _evidence(outcome: str, *left_out: str) -> Evidence:
    tests = {test for item in ALL if item.kind == "test" for test in item.evidence} - set(left_out)
    return Evidence(commit="abc", ended_at=datetime(2026, 1, 2, tzinfo=UTC), outcomes=dict.fromkeys(tests, outcome))


def test_all_185_are_there_once_and_in_order() -> None:
    expected = [f"{part}.{number:02}" for part, many in NUMBERS.items() for number in range(1, many + 1)]
    assert [item.id for item in ALL] == expected
    assert len(expected) == 185
    assert Counter(item.importance for item in ALL)["mandatory"] == 95


@pytest.mark.parametrize("item", ALL, ids=[item.id for item in ALL])
def test_what_is_named_as_evidence_is_there(item) -> None:
    for proof in item.evidence:
        file, _, name = proof.partition("::")
        assert (ROOT / file).is_file(), proof
        assert item.kind != "test" or name in _functions(file), proof
    assert bool(item.evidence) == (item.kind not in ("organisation_only", "not_met"))
    assert item.evidence or item.gap, "neither evidence nor a gap"


def test_what_software_decides_is_tested_or_an_honest_gap() -> None:
    decided = [item for item in ALL if item.software_decides]
    assert [item.id for item in decided] == SOFTWARE
    assert all(item.kind == "test" or (item.kind == "not_met" and item.gap) for item in decided)


def test_only_what_ran_and_passed_is_met() -> None:
    standings = {item.requirement.id: item.standing for item in judge(requirements(), _evidence("passed"))}
    assert standings["1.4.04"] == Standing.TESTED
    assert Standing.MISSING not in standings.values()
    named = next(item for item in ALL if item.id == "1.4.04").evidence[0]
    for evidence in (_evidence("failed"), _evidence("skipped"), _evidence("passed", named), Evidence()):
        standings = {item.requirement.id: item.standing for item in judge(requirements(), evidence)}
        assert standings["1.4.04"] == Standing.MISSING


def test_the_page_says_what_is_missing_and_needs_nothing_beside_it() -> None:
    page = draw_page(requirements(), judge(requirements(), Evidence()), Evidence(), datetime.now(UTC))
    assert page.count("<article") == 185
    assert "No results of" in page
    assert "met: tests ran" not in page
    assert not [word for word in ("<script", "<link", "<img", "@import", "url(") if word in page]


def test_the_command_writes_a_page_and_a_spreadsheet(tmp_path) -> None:
    results = tmp_path / "evidence.json"
    results.write_text(_evidence("passed").model_dump_json())
    done = CliRunner().invoke(app, ["satre", "report", str(tmp_path / "out"), "--evidence", str(results)])
    assert done.exit_code == 0, done.output
    rows = list(openpyxl.load_workbook(tmp_path / "out" / "satre.xlsx")["requirements"].iter_rows(values_only=True))
    assert len(rows) == 186
    assert {row[0]: row[6] for row in rows[1:]}["1.4.04"] == "met: tests ran"
    assert "abc" in (tmp_path / "out" / "satre.html").read_text("utf-8")


def test_results_that_are_none_and_a_catalogue_that_is_none_are_told(tmp_path) -> None:
    (tmp_path / "evidence.json").write_text('{"outcomes": {"a": "splendid"}}')
    with pytest.raises(ConfigError):
        Evidence.read(tmp_path / "evidence.json")
    with pytest.raises(ConfigError):
        Evidence.read(tmp_path / "nothing.json")
    with pytest.raises(ConfigError):
        read(tmp_path / "evidence.json")


def _report(nodeid: str, outcome: str, when: str = "call") -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("f", 1, "t"), {}, outcome, None, when)


def test_runs_on_one_commit_add_up_and_another_begins_anew(tmp_path) -> None:
    path = tmp_path / "build" / "evidence.json"
    first = Recorder(path, "abc", False)
    first.pytest_runtest_logreport(_report("tests/a.py::test_a[1]@group", "passed"))
    first.pytest_runtest_logreport(_report("tests/a.py::test_a[2]@group", "failed"))
    first.pytest_runtest_logreport(_report("tests/a.py::test_b", "passed", "setup"))
    first.pytest_sessionfinish()
    second = Recorder(path, "abc", False)
    second.pytest_runtest_logreport(_report("tests/a.py::test_c", "skipped", "setup"))
    second.pytest_sessionfinish()
    assert Evidence.read(path).outcomes == {"tests/a.py::test_a": "failed", "tests/a.py::test_c": "skipped"}
    Recorder(path, "def", False).pytest_sessionfinish()
    told = json.loads(path.read_text())
    assert (told["commit"], told["outcomes"]) == ("def", {})
