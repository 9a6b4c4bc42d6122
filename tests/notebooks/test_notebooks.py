from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec
from flip_sdk.simulate.phantoms import Scanner
from flip_sdk.simulate.twin_images import MadeUpSeries
from flip_sdk.testing import FakeHub, FakeTrust
from flip_sdk.testing.patients import CONCEPTS, MALIGNANT, synthetic_patients
from flip_sdk.testing.shown import Shelf
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(ROOT.rglob("*.ipynb"))
TUTORIAL = "tutorials/01_first_federated_model.ipynb"
SECOND = "tutorials/02_more_from_less.ipynb"
IMAGES = "tutorials/03_medical_images.ipynb"
REPORT = "dashboards/training_report.ipynb"
SMALL = {
    "healthy_chests(images, 400,": "healthy_chests(images, 26,",
    "range(24)": "range(1)",
    "privacy=privacy)": "privacy=privacy, rounds=2)",
    "persons=80": "persons=50",
    "practised, epsilon=2": "practised, epsilon=6",
}
"""A few public pictures, looked at once; few people to practise on, and few rounds."""


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
    assert {str(file.relative_to(ROOT)) for file in NOTEBOOKS} >= {TUTORIAL, SECOND, IMAGES, REPORT}


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


@pytest.mark.slow
def test_the_tutorial_on_images_practises_trains_and_publishes(workspace: Path) -> None:
    make_small(workspace / IMAGES)
    hub = FakeHub([with_images(name, seed) for seed, name in enumerate(("aldgate", "brookfield", "carrick"))])
    with hub.serve() as environment:
        tutorial = run(workspace / IMAGES, environment)
    asked = [job.spec for job in hub.jobs.values()]
    assert [spec.kind for spec in asked] == ["train", "evaluate"]
    assert all(spec.images is not None for spec in asked if isinstance(spec, TrainSpec | EvaluateSpec))
    assert "9 of " in outputs(tutorial, "text/plain")
    assert (workspace / "tutorials/mass_in_a_lung.safetensors").stat().st_size > 0


def test_the_report_without_any_result(workspace: Path) -> None:
    assert "<p" in outputs(run(workspace / REPORT, {}), "text/html")


def make_small(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for large, small in SMALL.items():
        assert large in text
        text = text.replace(large, small)
    file.write_text(text, encoding="utf-8")


def with_images(name: str, seed: int) -> FakeTrust:
    """A played Trust with small chest CTs: those who are ill have a mass."""
    people = synthetic_patients(50, seed=seed)
    ill = people.conditions[MALIGNANT]
    series = [
        MadeUpSeries(int(person), "CT", Scanner(3, 64, 64), bool(has), (seed, place))
        for place, (person, has) in enumerate(zip(people.person_ids, ill, strict=True))
    ]
    concepts = tuple(
        one.model_copy(update={"name": "mass in a lung"}) if one.concept_id == MALIGNANT else one for one in CONCEPTS
    )
    return FakeTrust(name, people, concepts=concepts, shelf=Shelf(series))


def publish(folder: Path, results: list[JobResult]) -> None:
    folder.mkdir()
    for result in results:
        (folder / f"{result.job_id}.json").write_bytes(result.canonical())


def _displayed(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]
