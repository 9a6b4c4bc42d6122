from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from flip_sdk.airlock import Airlock
from flip_sdk.cli import app
from flip_sdk.commands.running import JOB_FAILED, UNREACHABLE
from flip_sdk.contract.states import JobState
from flip_sdk.testing import FakeHub

import flip_sdk as flip

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
        assert runner.invoke(app, ["projects"]).exit_code == UNREACHABLE


def test_without_a_hub_it_says_what_to_do() -> None:
    done = runner.invoke(app, ["projects"])
    assert done.exit_code == UNREACHABLE
    assert "flip login" in done.stderr


def test_errors_for_programs_are_json_too(served: FakeHub) -> None:
    done = runner.invoke(app, ["count", "--condition", "malignent", "--json"])
    told = json.loads(done.stderr)
    assert (done.exit_code, told["error"]) == (1, "not_found")
    assert told["mend"]


def test_a_job_without_a_result_has_an_exit_code_of_its_own(served: FakeHub) -> None:
    assert runner.invoke(app, ["statistics", "mean", "mean radius", "--age", "40-40"]).exit_code == JOB_FAILED


def test_a_job_is_shown_step_by_step(served: FakeHub) -> None:
    run("count", "--condition", "malignant")
    assert json.loads(run("job", "job-1", "--json"))["state"] == "completed"
    assert "count, completed" in run("job", "job-1")
    assert json.loads(run("events", "job-1", "--json"))[-1]["event"] == "job.completed"
    assert [row["trust"] for row in json.loads(run("result", "job-1", "--json"))][-1] == "all"
    assert "debited" in run("report", "job-1")
    assert "lay_summary" in run("project", "--json")
    assert "Members: ada" in run("project")


@pytest.mark.parametrize(
    "question",
    [
        "describe --condition malignant",
        "cross-table --by-age 40,60 --by-condition malignant",
        "histogram mean\\ radius --bins 5",
        "mean mean\\ radius mean\\ texture",
        "quantiles mean\\ radius --at 0.1,0.9",
        "kaplan-meier --start malignant --days 1500 --by-condition malignant",
        "linear-regression mean\\ texture --on mean\\ radius",
        "logistic-regression malignant --on mean\\ radius",
        "cox-regression --start malignant --days 1500 --on mean\\ radius",
    ],
    ids=lambda words: words.split()[0],
)
def test_every_question_may_be_asked(served: FakeHub, question: str) -> None:
    asked = ["statistics", *shlex.split(question), "--epsilon", "9", "--json"]
    assert "all" in {row["trust"] for row in json.loads(run(*asked))}


def test_a_model_is_trained_scored_and_saved(served: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets_here.py").write_text("from torch import nn\n\n\ndef make():\n    return nn.Linear(8, 1)\n")
    trained = json.loads(run("train", "nets_here:make", "--label", "malignant", "--rounds", "2", "--json"))
    assert trained["kind"] == "train"
    assert "gradient norm" in run("watch", trained["job_id"])
    assert "accuracy" in run("evaluate", trained["job_id"], "--watch")
    run("result", trained["job_id"], "--save-model", "kept.safetensors")
    assert (tmp_path / "kept.safetensors").stat().st_size > 0
    assert runner.invoke(app, ["train", "nets_here:nothing", "--label", "malignant"]).exit_code == 1
    assert runner.invoke(app, ["train", "nets_here", "--label", "malignant"]).exit_code == 1
    assert runner.invoke(app, ["train", "nowhere:net", "--label", "malignant"]).exit_code == 1


def test_dashboards_are_published_and_listed(served: FakeHub, tmp_path: Path) -> None:
    run("count")
    notebook = tmp_path / "report.ipynb"
    notebook.write_text(json.dumps({"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
    assert "report" in run("publish", str(notebook), "--name", "report", "--job", "job-1")
    assert [row["name"] for row in json.loads(run("dashboards", "--json"))] == ["report"]


def test_shells_complete_the_commands() -> None:
    assert "_FLIP_COMPLETE" in run("completion", "bash")
    done = runner.invoke(
        app, [], prog_name="flip", env={"_FLIP_COMPLETE": "bash_complete", "COMP_WORDS": "flip ca", "COMP_CWORD": "1"}
    )
    # Typer, where a test before this one used it, has click leave out what kind of word it is
    assert {line.rpartition(",")[2] for line in done.stdout.split()} == {"cancel", "catalogue"}


def every_command(
    group: click.Group = app, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name), command


def test_every_command_has_help_and_json() -> None:
    for path, command in every_command():
        assert command.help, path
        assert "as_json" in {parameter.name for parameter in command.params}, path
        assert all(parameter.help for parameter in command.params if hasattr(parameter, "help")), path


MIRROR = {
    "airlock": "airlock",
    "budget": "budget",
    "catalogue": "catalogue",
    "count": "count",
    "cox_regression": "statistics cox-regression",
    "cross_table": "statistics cross-table",
    "dashboards": "dashboards",
    "describe": "statistics describe",
    "evaluate": "evaluate",
    "histogram": "statistics histogram",
    "job": "job",
    "jobs": "jobs",
    "kaplan_meier": "statistics kaplan-meier",
    "linear_regression": "statistics linear-regression",
    "logistic_regression": "statistics logistic-regression",
    "mean": "statistics mean",
    "price": "price",
    "publish": "publish",
    "share": "share",
    "links": "links",
    "quantiles": "statistics quantiles",
    "release": "release",
    "train": "train",
}
NO_COMMAND = {
    "bounds": "makes features for Python to go on with; `flip statistics quantiles` tells the numbers",
    "id": "is what a person types",
    "in_words": "is what `flip project` says",
    "statistics": "takes a record of the contract; the questions below `flip statistics` make them",
    "view": "is what `flip project --json` prints",
}
OF_A_JOB = {
    "cancel": "cancel",
    "events": "events",
    "refresh": "job",
    "report": "report",
    "result": "result",
    "watch": "watch",
}
OF_THE_AIRLOCK = {
    "bring_in": "airlock bring-in",
    "check": "airlock check",
    "fetch": "airlock fetch",
    "incoming": "airlock incoming",
    "open": "airlock open",
    "releases": "airlock releases",
    "request": "airlock request",
    "requests": "airlock requests",
}
OF_THE_MODULE = {"advise": "advise", "login": "login", "logout": "logout", "offline": "offline"}


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_the_commands_mirror_the_package() -> None:
    assert public(flip.Project) | {"view"} == set(MIRROR) | set(NO_COMMAND)
    assert public(flip.Job) - {"id", "state"} == set(OF_A_JOB)
    assert public(Airlock) - {"examine"} == set(OF_THE_AIRLOCK), "examine gives check's records to programs"
    known = {" ".join(path) for path, _ in every_command()} | set(app.commands)
    assert {*MIRROR.values(), *OF_A_JOB.values(), *OF_THE_AIRLOCK.values(), *OF_THE_MODULE.values()} <= known
