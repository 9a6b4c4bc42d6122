from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flip_sdk.cli import app
from flip_sdk.contract.states import JobState
from flip_sdk.testing import FakeHub
from typer.testing import CliRunner

runner = CliRunner()


@pytest.fixture
def served(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with fake_hub.serve() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield fake_hub


def run(*arguments: str) -> str:
    done = runner.invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_lists_for_people_and_for_programs(served: FakeHub) -> None:
    assert "breast-cytology" in run("projects")
    assert [row["trust"] for row in json.loads(run("budget", "--json"))] == list(served.trusts)
    assert "carrick" in run("budget", "breast-cytology")
    assert [row["name"] for row in json.loads(run("catalogue", "--find", "radius", "--json"))] == [
        "mean radius",
        "worst radius",
    ]


def test_parts_of_the_catalogue(served: FakeHub) -> None:
    assert "Not published by aldgate" in run("catalogue", "--part", "freshness")
    served.trusts["aldgate"].publish_holdings(8.0, datetime.now(UTC))
    assert {row["trust"] for row in json.loads(run("catalogue", "--part", "freshness", "--json"))} == {"aldgate"}
    assert "persons aldgate" in run("catalogue", "--part", "imaging")
    assert runner.invoke(app, ["catalogue", "--part", "patients"]).exit_code == 2


def test_counting(served: FakeHub) -> None:
    output = run("count", "--condition", "malignant", "--age", "30-80", "--sex", "female", "--without", "benign")
    assert "all" in output
    assert "job" not in output
    spec = next(iter(served.jobs.values())).spec
    assert [criterion.kind for criterion in spec.cohort.criteria] == ["condition", "condition", "age", "sex"]
    assert [criterion.negate for criterion in spec.cohort.criteria] == [False, True, False, False]


def test_watching_and_cancelling(served: FakeHub) -> None:
    run("count")
    (job,) = served.jobs
    assert job in run("jobs")
    assert "all" in run("watch", job)
    assert JobState.COMPLETED.value in run("cancel", job)


def test_errors_are_words_and_exit_code_1(served: FakeHub) -> None:
    done = runner.invoke(app, ["count", "--condition", "malignent"])
    assert done.exit_code == 1
    assert "malignant" in done.stderr
    assert "Traceback" not in done.output
    assert runner.invoke(app, ["watch", "job-9"]).exit_code == 1


def test_bad_options_are_told() -> None:
    assert runner.invoke(app, ["count", "--age", "old"]).exit_code == 2


def test_login_keeps_the_token_and_logout_forgets_it(served: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: served.token)
    with served.serve() as other:
        for name in other:
            monkeypatch.delenv(name)
        assert "Northbridge" in run("login", other["FLIP_HUB_API"])
        assert "breast-cytology" in run("projects")
        run("logout")
        assert runner.invoke(app, ["projects"]).exit_code == 1


def test_without_a_hub_it_says_what_to_do() -> None:
    done = runner.invoke(app, ["projects"])
    assert done.exit_code == 1
    assert "flip login" in done.stderr
