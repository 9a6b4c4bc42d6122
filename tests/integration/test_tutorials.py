"""Every tutorial as a person runs it: in ada's workspace on the real platform, through its kernel, twice, timed.

The times are written to ``build/tutorials.json``.
"""

from __future__ import annotations

import json
import time
from contextlib import closing

import pytest
from flip_sdk.tutorials import TUTORIALS, Tutorial
from nbformat import NotebookNode

from demo.notebook_runner import Login, Workspace, run_cells
from demo.people import ADA, PROJECT
from demo.platform import REPOSITORY
from tests.integration.conftest import PASSWORD

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.xdist_group("tutorials")]
TIMES = REPOSITORY / "build" / "tutorials.json"
TWO_MINUTES = 120.0
MADE_UP = "This tutorial runs on made-up people"


@pytest.fixture(scope="module")
def workspace(new_story):
    story = new_story(4)
    story.confirm_peers()
    with closing(Workspace(story.platform.hub_url, Login(ADA.name, PASSWORD), PROJECT)) as opened:
        yield opened.open()


@pytest.fixture(scope="module")
def times():
    measured: dict[str, list[float]] = {}
    yield measured
    TIMES.parent.mkdir(exist_ok=True)
    TIMES.write_text(json.dumps(measured, indent=1))


@pytest.mark.parametrize("one", TUTORIALS, ids=lambda one: one.file)
@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
def test_a_tutorial_runs_in_a_workspace(workspace, times, one: Tutorial, again: bool) -> None:
    path = f"tutorials/{one.file}.ipynb"
    notebook = workspace.read(path)
    began = time.monotonic()
    with workspace.kernel(path) as kernel:
        run_cells(kernel, notebook, lambda _: None, TWO_MINUTES)
    seconds = time.monotonic() - began
    times.setdefault(one.file, []).append(round(seconds, 1))
    workspace.save(path, notebook)

    assert seconds < TWO_MINUTES
    # this project is not about images; the budget is for every tutorial once
    if not again:
        assert (MADE_UP in shown(notebook)) == one.images


def shown(notebook: NotebookNode) -> str:
    """What its cells show as HTML."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("data", {}).get("text/html", "") for output in outputs)
