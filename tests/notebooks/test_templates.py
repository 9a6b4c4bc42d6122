"""Every template of a dashboard runs, over results and over none, and passes the airlock's own checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from flip_hub.airlock.checks import Past, examine, load
from flip_sdk.contract.airlock import OutputStatement
from flip_sdk.contract.records import digest
from flip_sdk.publishing import without_outputs
from jupyter_client.manager import KernelManager

from flip_sdk import templates
from tests.flip_sdk.dashboards.made import EVERYTHING
from tests.notebooks.test_notebooks import in_one_kernel, one_kernel, outputs, publish, run

NAMES = [one.name for one in templates.all_of_them()]
PICTURES = {"cohort_report": 7, "fairness_by_subgroup": 2, "model_card": 4, "monitoring": 3, "training_report": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("templates")
    publish(made / "jobs", list(EVERYTHING))
    return made


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[KernelManager]:
    with one_kernel(folder, {}) as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_its_words_tell_of_no_small_number(name: str, folder: Path, kernel: KernelManager) -> None:
    notebook = run(in_one_kernel(templates.copy(name, folder / f"{name}.ipynb")), {}, kernel)
    page = outputs(notebook, "text/html")
    assert len(re.findall(r'<img alt="[^"]+', page)) == PICTURES[name]
    assert "No " not in re.sub("<[^>]+>", " ", page).replace("No record left", "").replace("No patient", "")

    said = folder / "words" / f"{name}.txt"
    said.parent.mkdir(exist_ok=True)
    said.write_text(re.sub("<[^>]+>", "\n", re.sub("(?s)<table.*?</table>", "", page)))
    assert flagged(said) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_friendly_without_any_result(name: str, folder: Path, kernel: KernelManager) -> None:
    place = templates.copy(name, folder / f"{name}_without.ipynb")
    place.write_text(place.read_text().replace("load_results()", "load_results('nothing')"))
    page = outputs(run(in_one_kernel(place), {}, kernel), "text/html")
    assert "published" in page or "No model" in page
    assert '<img alt=""' in page


@pytest.mark.parametrize("name", NAMES)
def test_as_it_is_released_the_airlock_finds_nothing_in_it(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.ipynb"
    file.write_bytes(without_outputs(templates.FOLDER / f"{name}.ipynb"))
    nbformat.read(file, as_version=4)
    assert flagged(file) == []


def flagged(file: Path) -> list[str]:
    statement = OutputStatement(path=file.name, content=digest(file.read_bytes()), title="A dashboard")
    (examined,) = examine(file.parent, [statement], Past(project="p", limits=load("nhs-england")))
    return [f"{found.rule}: {found.message}" for found in examined.findings if found.severity != "note"]
