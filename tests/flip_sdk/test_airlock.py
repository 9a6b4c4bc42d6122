"""Releasing files and bringing files in, as a researcher does it in a notebook and on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from flip_sdk.cli import app
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import OutputState
from flip_sdk.publishing import without_outputs

import flip_sdk as flip

CLEAN = "sex,persons\nfemale,120\nmale,130\n"
SMALL = "sex,persons\nfemale,3\nmale,130\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clean.csv").write_text(CLEAN)
    (tmp_path / "small.csv").write_text(SMALL)
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    return tmp_path


def test_checks_beforehand_submit_nothing(fake_hub, project, folder) -> None:
    found = project.airlock.check("clean.csv", "small.csv")
    assert found["verdict"].to_list() == ["pass", "flag"]
    assert found["cells"].to_list() == ["", "row 1, column 2"]
    assert fake_hub.airlock.requests == {}


def test_a_release_from_asking_to_saving(fake_hub, project, folder) -> None:
    small = flip.Output("small.csv", title="Persons by sex", context="Of job 7.", counts=["persons"], variables=["sex"])
    asked = project.release("clean.csv", small, purpose="Table 1 of the paper.", context="All persons.")
    assert asked.view.outputs[0].statement.context == "All persons."
    assert asked.view.outputs[1].statement.variables == ("sex",)
    assert "clean.csv checked" in repr(asked)
    assert asked.findings()["verdict"].to_list() == ["pass", "flag"]
    fake_hub.airlock.decide(asked.id, "clean.csv", "approve", "approve")
    fake_hub.airlock.decide(asked.id, "small.csv", "approve", "withhold", reason="Suppress the 3.")
    assert asked.status()["state"].to_list() == ["released", "in review"]
    assert asked.view.outputs[1].decisions == ()
    fake_hub.airlock.decide(asked.id, "small.csv", "withhold", reason="Suppress the 3.")
    assert asked.status()["reason"].to_list() == ["", "Suppress the 3."]
    released = project.airlock.releases()
    assert released["file"].to_list() == ["clean.csv"]
    saved = project.airlock.fetch(released["release"][0], folder / "..", "file")
    assert saved.read_text() == CLEAN
    assert project.airlock.fetch(released["release"][0], folder, "crate").name == "clean.csv.crate.zip"
    fake_hub.airlock.revoke(released["release"][0], "It tells too much.")
    with pytest.raises(flip.NotAllowedError):
        project.airlock.fetch(released["release"][0])
    assert project.airlock.releases()["because"].to_list() == ["It tells too much."]


def test_a_dashboard_leaves_as_the_notebook_that_was_published(fake_hub, project, folder) -> None:
    ran = {"cell_type": "code", "source": "6 * 7", "metadata": {}, "execution_count": 1, "outputs": [{"text": "42"}]}
    notebook = {"cells": [ran], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "board.ipynb").write_text(json.dumps(notebook))
    project.publish("board.ipynb", name="board")
    asked = project.release(flip.Output("board.ipynb", dashboard="board"), purpose="The committee reads it.")
    assert asked.view.outputs[0].statement.content == digest(without_outputs(folder / "board.ipynb"))


def test_what_is_never_released_is_refused_with_all_that_was_found(fake_hub, project, folder) -> None:
    with pytest.raises(flip.SpecError) as caught:
        project.release("model.pkl", "small.csv", purpose="The model of the paper.")
    assert [(v.where, v.rule) for v in caught.value.violations] == [("model.pkl", "format.not_allowed")]
    assert fake_hub.airlock.requests == {}


def test_a_helper_does_not_leave(fake_hub, project, folder) -> None:
    rates = flip.Output("clean.csv", underlying="counts/small.csv")
    counts = flip.Output("small.csv", name="counts/small.csv", leaves=False)
    asked = project.release(rates, counts, purpose="Rates of the paper.")
    with pytest.raises(flip.PublicError):
        fake_hub.airlock.decide(asked.id, "counts/small.csv", "approve", "approve")
    fake_hub.airlock.decide(asked.id, "clean.csv", "approve", "approve")
    assert not asked.refresh().view.open


def test_a_request_is_taken_back(project, folder) -> None:
    asked = project.release("clean.csv", purpose="Table 1 of the paper.")
    assert asked.withdraw().view.outputs[0].state is OutputState.WITHDRAWN
    assert project.airlock.requests()["state"].to_list() == ["withdrawn"]
    assert project.airlock.open(asked.id).id == asked.id
    with pytest.raises(flip.PublicError):
        asked.withdraw()


def test_a_lost_answer_asks_once(fake_hub, hub, project, folder) -> None:
    hub._connection._sleep = lambda seconds: None
    # the upload, the check, then the request, whose answer is lost
    posts = iter(range(10))

    def lose(request):
        if request.url.path.endswith("/requests") and next(posts) == 0:
            fake_hub.faults.append("answer_lost")
        return fake_hub._answer(request)

    hub._connection._client._transport.handler = lose
    project.release("clean.csv", purpose="Table 1 of the paper.")
    assert len(fake_hub.airlock.requests) == 1


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_file_that_is_not_there(project, folder, name) -> None:
    with pytest.raises(flip.NotFoundError):
        project.release(name, purpose="Table 1 of the paper.")


def test_a_name_that_does_not_fit_says_so(project, folder) -> None:
    (folder / ".hidden.csv").write_text(CLEAN)
    with pytest.raises(flip.RecordError):
        project.release(".hidden.csv", purpose="Table 1 of the paper.")


def test_a_file_is_brought_in(fake_hub, project, folder) -> None:
    asked = project.airlock.bring_in("clean.csv", purpose="To compare with.", source="NHS England, OGL 3")
    assert asked.kind == "table"
    fake_hub.airlock.admit(asked.ingress_id)
    assert project.airlock.incoming()["state"].to_list() == ["admitted"]
    with pytest.raises(flip.PublicError):
        project.airlock.bring_in("model.pkl", purpose="To compare with.", source="Nobody")


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["airlock", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands(fake_hub, folder, monkeypatch) -> None:
    with fake_hub.serve() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert [row["verdict"] for row in json.loads(run("check", "clean.csv", "small.csv", "--json"))] == [
            "pass",
            "flag",
        ]
        (row,) = json.loads(run("request", "clean.csv", "--purpose", "Table 1 of the paper.", "--json"))
        assert row["state"] == "checked"
        fake_hub.airlock.decide("request-1", "clean.csv", "approve", "approve")
        (released,) = json.loads(run("releases", "--json"))
        run("fetch", released["release"], "--to", str(folder), "--part", "criteria")
        assert (folder / "clean.csv.criteria.json").exists()
        run("request", "small.csv", "--purpose", "Table 2 of the paper.")
        assert "withdrawn" in run("withdraw", "request-2")
        assert len(json.loads(run("requests", "--json"))) == 2
        run("bring-in", "clean.csv", "--purpose", "To compare with.", "--source", "NHS England")
        assert json.loads(run("incoming", "--json"))[0]["state"] == "checked"
        refused = CliRunner().invoke(app, ["airlock", "request", "model.pkl", "--purpose", "The model of it."])
        assert refused.exit_code == 1
