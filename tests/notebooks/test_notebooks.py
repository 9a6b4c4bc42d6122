from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.jobs import TrainSpec
from flip_sdk.testing import FakeHub
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(ROOT.rglob("*.ipynb"))
TUTORIAL = "tutorials/01_first_federated_model.ipynb"
SECOND = "tutorials/02_more_from_less.ipynb"
REPORT = "dashboards/training_report.ipynb"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for folder in ("tutorials", "dashboards"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def run(file: Path, environment: dict[str, str]) -> NotebookNode:
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": file.parent}})
    return client.execute(env={**os.environ, **environment})


def outputs(notebook: NotebookNode, kind: str) -> str:
    """Everything that the cells show as this MIME type, and what they print."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            shown.append(output.get("text", "") if output.output_type == "stream" else output.data.get(kind, ""))
    return "\n".join(shown)


def test_the_notebooks_are_there() -> None:
    assert {str(file.relative_to(ROOT)) for file in NOTEBOOKS} >= {TUTORIAL, SECOND, REPORT}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_no_output_is_stored(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert "widgets" not in notebook.metadata


def test_the_tutorial_runs_from_top_to_bottom_and_the_report_shows_what_it_found(workspace: Path) -> None:
    hub = FakeHub()
    with hub.serve() as environment:
        tutorial = run(workspace / TUTORIAL, environment)
    results = [job.result for job in hub.jobs.values()]
    assert [result.kind for result in results if result] == ["count", "train", "evaluate"]
    assert (workspace / "tutorials/first_federated_model.safetensors").stat().st_size > 0
    assert list(hub.dashboards) == ["training-report"]
    # progress stays readable where no JavaScript runs
    assert "<svg" in outputs(tutorial, "text/html")
    assert "widget-view" not in str([output.get("data", {}).keys() for output in _displayed(tutorial)])

    publish(workspace / "dashboards/jobs", [result for result in results if result])
    report = outputs(run(workspace / REPORT, {}), "text/html")
    evaluated = results[-1]
    assert evaluated is not None
    accuracy = next(f.accuracy for f in evaluated.figures if f.trust == "all")
    assert f"{accuracy:.1%}" in report
    # how it went, how good it is, whether its probabilities can be believed, what it cost
    assert report.count("<img alt=") == 4


def test_the_second_tutorial_practises_then_asks_statistics_and_shares_noise(workspace: Path) -> None:
    hub = FakeHub()
    with hub.serve() as environment:
        tutorial = run(workspace / SECOND, environment)
    asked = [job.spec for job in hub.jobs.values()]
    # nothing of what was practised, or only priced, reached the hub
    assert [spec.kind for spec in asked] == ["statistics", "statistics", "train", "evaluate"]
    assert [spec.privacy.trust_model.kind for spec in asked if isinstance(spec, TrainSpec)] == ["distributed"]
    assert "if every other Trust worked with the hub" in outputs(tutorial, "text/plain")


def test_the_report_without_any_result(workspace: Path) -> None:
    assert "<p" in outputs(run(workspace / REPORT, {}), "text/html")


def publish(folder: Path, results: list[JobResult]) -> None:
    folder.mkdir()
    for result in results:
        (folder / f"{result.job_id}.json").write_bytes(result.canonical())


def _displayed(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]
