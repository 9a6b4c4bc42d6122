from __future__ import annotations

from pathlib import Path
from typing import get_args

import nbformat
import pytest
from flip_sdk.contract.api import DashboardKind
from flip_sdk.errors import NotFoundError, PublicError
from flip_sdk.publishing import said_of

from flip_sdk import templates

ALL = templates.all_of_them()


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_a_template_is_a_notebook_that_says_its_kind_and_holds_no_output(one: templates.Template) -> None:
    notebook = nbformat.from_dict(one.content)
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    said = said_of((templates.FOLDER / f"{one.name}.ipynb").read_bytes())
    assert said == {"title": one.title, "kind": one.content["metadata"]["flip"]["kind"]}
    # a page begins with what it is, and its last words are what it does not say and where its numbers are from
    headings = ["".join(cell.source).splitlines()[0] for cell in notebook.cells if cell.cell_type == "markdown"]
    assert headings[0] == f"# {one.title}"
    assert any("not tell" in heading for heading in headings)
    assert headings[-1] == "## Where the numbers come from"


def test_there_is_one_for_each_kind() -> None:
    kinds = [one.content["metadata"]["flip"]["kind"] for one in ALL]
    assert sorted(kinds) == sorted(set(get_args(DashboardKind)) - {"other"})
    assert templates.listed().rows(named=True)[2]["about"].startswith("What a model is, whom it learned from")


def test_a_copy_is_made_and_nothing_written_over(tmp_path: Path) -> None:
    place = templates.copy("model_card", tmp_path / "card.ipynb")
    assert place.read_bytes() == (templates.FOLDER / "model_card.ipynb").read_bytes()
    place.write_text("mine")
    with pytest.raises(PublicError, match="there already"):
        templates.copy("model_card", place)
    assert place.read_text() == "mine"
    with pytest.raises(NotFoundError, match="cohort_report, fairness_by_subgroup"):
        templates.copy("none", tmp_path / "x.ipynb")
