from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.applications import DataAsked
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec
from flip_sdk.pricing import epsilon_of
from flip_sdk.simulate.phantoms import Scanner
from flip_sdk.simulate.twin_images import MadeUpSeries
from flip_sdk.testing import FakeHub, FakeTrust, demo_trusts
from flip_sdk.testing.patients import CONCEPTS, MALIGNANT, synthetic_patients
from flip_sdk.testing.shown import Shelf
from flip_sdk.tutorials import TUTORIALS, Tutorial
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from flip_sdk import templates

ROOT = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(ROOT.rglob("*.ipynb"))
START = "tutorials/00_start_here.ipynb"
TUTORIAL = "tutorials/01_first_federated_model.ipynb"
IMAGES = "tutorials/04_medical_images.ipynb"
REPORT = "dashboards/training_report.ipynb"
OTHERS = [one for one in TUTORIALS if one.number not in (1, 4)]
TWO_MINUTES = 120.0
SMALL = {
    "04_medical_images": {
        "healthy_chests(images, 400,": "healthy_chests(images, 26,",
        "BATCHES = 8, 16, 13": "BATCHES = 8, 1, 13",
        "privacy=privacy)": "privacy=privacy, rounds=2)",
        "persons=100": "persons=80",
        "practised, epsilon=2": "practised, epsilon=6",
    },
    "05_statistics_and_survival": {"persons=2000": "persons=200"},
    "06_your_own_network": {"steps=100": "steps=2", "rounds=20": "rounds=2", '"rounds\\": 10': '"rounds\\": 2'},
    "07_from_model_to_release": {"rounds=20": "rounds=2"},
    "08_more_from_less": {
        "privacy=privacy)": "privacy=privacy, rounds=2)",
        "privacy=shared)": "privacy=shared, rounds=2)",
    },
}
"""A few public pictures, looked at once; few people to practise on, and few rounds."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "tutorials", tmp_path / "tutorials")
    shutil.copytree(templates.FOLDER, tmp_path / "dashboards")
    return tmp_path


def run(file: Path, environment: dict[str, str], manager: KernelManager | None = None) -> NotebookNode:
    """Run a notebook as it is, in a kernel of its own unless there is one."""
    notebook = nbformat.read(file, as_version=4)
    resources = {"metadata": {"path": file.parent}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources, km=manager)
    return client.execute(env={**os.environ, **environment})


@contextmanager
def one_kernel(folder: Path, environment: dict[str, str]) -> Iterator[KernelManager]:
    """A kernel in which notebooks run one after the other, each with nothing of the one before."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), env={**os.environ, **environment})
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


def outputs(notebook: NotebookNode, kind: str) -> str:
    """Everything that the cells show as this MIME type, and what they print."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            shown.append(output.get("text", "") if output.output_type == "stream" else output.data.get(kind, ""))
    return "\n".join(shown)


def test_every_tutorial_is_listed_and_there() -> None:
    there = {str(file.relative_to(ROOT)) for file in NOTEBOOKS}

    assert there == {START} | {f"tutorials/{one.file}.ipynb" for one in TUTORIALS}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_no_output_is_stored(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("one", TUTORIALS, ids=lambda one: one.file)
def test_a_tutorial_says_what_it_is_for_what_it_costs_and_where_to_go(one: Tutorial) -> None:
    cells = nbformat.read(ROOT / f"tutorials/{one.file}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    first = " ".join(cells[0].source.split())
    table = nbformat.read(ROOT / START, as_version=4).cells[1].source

    assert first.startswith(f"# {one.title}")
    for said in ("**You will be able to**", f"{one.minutes} minutes", f"ε = {one.epsilon:g} at each Trust"):
        assert said in first
    for said in ("## What you have seen", "## Exercise", "<summary>Show the answer</summary>", "## Next"):
        assert said in text
    assert re.search(rf"\({one.file}\.ipynb\) \|[^|]*\| {one.minutes} \| {one.epsilon:g} \|", table)
    # what is done, and with whose data, stands before the first box
    assert [cell.cell_type for cell in cells[:3]].count("code") <= 1


def test_the_first_tutorial_runs_from_top_to_bottom_and_the_report_shows_what_it_found(workspace: Path) -> None:
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


def test_the_other_tutorials_run_and_cost_what_they_say(workspace: Path) -> None:
    trusts = demo_trusts()
    for trust in trusts:
        trust.epsilon = 30.0
    hub = FakeHub(trusts)
    shown, asked = {}, {}
    with hub.serve() as environment, one_kernel(workspace / "tutorials", environment) as kernel:
        for one in OTHERS:
            before = len(hub.jobs)
            shown[one.number] = run(in_one_kernel(make_small(workspace / f"tutorials/{one.file}.ipynb")), {}, kernel)
            asked[one.number] = [job.spec for job in list(hub.jobs.values())[before:]]
        contents = run(in_one_kernel(workspace / START), {}, kernel)

    for one in OTHERS:
        assert sum(map(epsilon_of, asked[one.number])) == pytest.approx(one.epsilon), one.title
        assert {spec.kind for spec in asked[one.number]} == set(one.kinds), one.title
    # nothing of what was practised, or only priced, reached the hub
    assert [spec.kind for spec in asked[8]] == ["statistics", "statistics", "train", "evaluate"]
    assert [spec.privacy.trust_model.kind for spec in asked[8] if isinstance(spec, TrainSpec)] == ["distributed"]
    assert "if every other Trust worked with the hub" in outputs(shown[8], "text/plain")
    # without widgets the drawings stand still
    assert outputs(shown[3], "text/html").count("<img alt=") == 3
    for named in ("BatchNorm", "torch.where", "sufficient_statistics"):
        assert named in outputs(shown[6], "text/plain")
    assert all(request.outputs[0].state == "withdrawn" for request in hub.airlock.requests.values())
    assert list(hub.dashboards) == ["release-tutorial"]
    assert "made-up" in outputs(contents, "text/html")


@pytest.mark.slow
@pytest.mark.parametrize("one", [one for one in TUTORIALS if not one.images], ids=lambda one: one.file)
def test_a_tutorial_runs_in_under_two_minutes_and_again_when_the_budget_is_spent(
    workspace: Path, one: Tutorial
) -> None:
    trusts = demo_trusts()
    for trust in trusts:
        trust.epsilon = 1.1 * one.epsilon + 0.05
    with FakeHub(trusts).serve() as environment:
        began = time.monotonic()
        first = outputs(run(workspace / f"tutorials/{one.file}.ipynb", environment), "text/html")
        seconds = time.monotonic() - began
        again = outputs(run(workspace / f"tutorials/{one.file}.ipynb", environment), "text/html")

    assert seconds < TWO_MINUTES
    assert "made-up people" not in first
    assert "more than the budget has left" in again


@pytest.mark.slow
def test_the_tutorial_on_images_practises_trains_and_publishes(workspace: Path) -> None:
    make_small(workspace / IMAGES)
    names = ("aldgate", "brookfield", "carrick")
    hub = FakeHub([with_images(name, seed) for seed, name in enumerate(names)])
    asked_for = tuple(DataAsked(trust=name, domains=("images", "conditions")) for name in names)
    hub.view = hub.view.model_copy(update={"application": hub.view.application.model_copy(update={"data": asked_for})})
    with hub.serve() as environment:
        tutorial = run(workspace / IMAGES, environment)
    asked = [job.spec for job in hub.jobs.values()]
    assert [spec.kind for spec in asked] == ["train", "evaluate"]
    assert sum(map(epsilon_of, asked)) == 5.0
    assert all(spec.images is not None for spec in asked if isinstance(spec, TrainSpec | EvaluateSpec))
    assert "9 of " in outputs(tutorial, "text/plain")
    assert (workspace / "tutorials/mass_in_a_lung.safetensors").stat().st_size > 0


@pytest.mark.slow
def test_the_tutorial_on_images_runs_to_the_end_in_a_project_without_images(workspace: Path) -> None:
    hub = FakeHub()
    with hub.serve() as environment:
        began = time.monotonic()
        tutorial = run(workspace / IMAGES, environment)
    assert time.monotonic() - began < TWO_MINUTES
    assert hub.jobs == {}
    assert "your project is not about images" in outputs(tutorial, "text/html")


def test_the_report_without_any_result(workspace: Path) -> None:
    assert "<p" in outputs(run(workspace / REPORT, {}), "text/html")


def make_small(file: Path) -> Path:
    """Fewer rounds and people; what is done stays."""
    text = file.read_text(encoding="utf-8")
    for large, small in SMALL.get(file.stem, {}).items():
        assert large in text, large
        text = text.replace(large, small)
    file.write_text(text, encoding="utf-8")
    return file


def in_one_kernel(file: Path) -> Path:
    """The notebook, which forgets first what another one left in the kernel."""
    notebook = nbformat.read(file, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    nbformat.write(notebook, file)
    return file


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
