"""The live view of a job: its fields, its thread, and what stays of it in a notebook that a program ran."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from flip_sdk.contract.states import JobState
from flip_sdk.errors import ConnectionFailedError
from flip_sdk.testing import FakeHub
from flip_sdk.watching import page, views
from flip_sdk.watching.widget import JobWidget
from nbclient import NotebookClient

import flip_sdk as flip

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a notebook would show, in order."""
    found: list[Any] = []

    class Handle:
        def update(self, what: object) -> None:
            found.append(what)

    monkeypatch.setattr("IPython.display.display", lambda what, display_id: found.append(what) or Handle())
    monkeypatch.setattr(views, "in_notebook", lambda: True)
    return found


def trained(project: flip.Project, rounds: int = 3) -> flip.Job:
    from torch import nn

    features = project.catalogue().features()
    return project.train(nn.Linear(len(features), 1), features=features, label="malignant", rounds=rounds)


def test_watching_returns_at_once_and_leaves_a_picture(project: flip.Project, shown: list[Any]) -> None:
    job = trained(project).watch()
    assert job.result().record.kind == "train"
    widget, *pictures = shown
    assert isinstance(widget, JobWidget)
    fields = widget.fields
    assert (fields["headline"], fields["ended"], len(fields["curve"])) != ("", False, 0)
    assert [one["trust"] for one in fields["meters"]] == ["aldgate", "brookfield", "carrick", "dunmore"]
    assert fields["meters"][0]["after"] == pytest.approx(3.0, rel=1e-3)
    last = pictures[-1]
    assert isinstance(last, views.Summary)
    assert "<svg" in last._repr_html_()
    assert "completed" in repr(last)


def test_a_result_is_waited_for_with_a_view(project: flip.Project, shown: list[Any]) -> None:
    assert project.count(epsilon=0.2).height == 5
    assert isinstance(shown[0], JobWidget)
    assert isinstance(shown[-1], views.Summary)


def test_watching_again_shows_no_second_view_while_one_runs(project: flip.Project, shown: list[Any]) -> None:
    job = trained(project)
    job.watch().watch()
    assert job._live is not None
    job._live.wait()
    assert sum(isinstance(one, JobWidget) for one in shown) <= 2
    assert job.state == JobState.COMPLETED


def test_the_button_ends_the_job(project: flip.Project, fake_hub: FakeHub, shown: list[Any]) -> None:
    job = trained(project, rounds=500)
    job.watch()
    shown[0]._asked(shown[0], {"do": "something else"}, [])
    shown[0]._asked(shown[0], {"do": "cancel"}, [])
    with pytest.raises(flip.JobFailedError):
        job.result()
    assert fake_hub.jobs[job.id].view.state == JobState.CANCELLED
    assert "cancelled" in repr(shown[-1])


def test_a_hub_that_stays_away_is_told_in_the_view_and_by_the_result(
    project: flip.Project, fake_hub: FakeHub, shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = trained(project)
    monkeypatch.setattr("flip_sdk.jobs.WATCH_PATIENCE", 0.0)
    fake_hub.faults.extend(["unreachable"])
    job.watch()
    assert job._live is not None
    assert isinstance(job._live.wait(), ConnectionFailedError)
    assert "job.watch() begins again" in repr(shown[-1])
    assert job.watch().result().record.kind == "train"


def test_fields_are_plain_and_the_bundle_is_escaped(project: flip.Project, shown: list[Any]) -> None:
    job = trained(project).watch()
    job.result()
    widget = shown[0]
    widget._progress.note = HOSTILE
    assert page.fields(widget._progress)["note"] == HOSTILE, "the view sets it as text"
    assert HOSTILE not in page.html(widget._progress)
    source = (Path(page.__file__).parent / "job.js").read_text("utf-8")
    assert not any(word in source for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval("))


@pytest.mark.processes
def test_a_notebook_that_a_program_runs_keeps_the_last_picture(fake_hub: FakeHub) -> None:
    cells = [
        "import flip_sdk as flip\nfrom flip_sdk.contract.statistics import AgeBands, CrossTable\n"
        "question = CrossTable(by=(AgeBands(starts=(50,)),))\n"
        "job = flip.connect().project().statistics(question)\njob.watch()",
        "print('free')",
        "job.result().table()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with fake_hub.serve() as environment:
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute(env={**os.environ, **environment})
    first = notebook.cells[0].outputs[0].data
    assert "completed" in first["text/html"]
    assert "application/vnd.jupyter.widget-view+json" not in first
    assert notebook.cells[1].outputs[0].text == "free\n"
