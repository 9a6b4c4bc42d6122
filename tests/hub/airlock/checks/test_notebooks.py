from __future__ import annotations

import base64
import json
from typing import Any

import polars as pl
import pytest
from flip_hub.airlock.checks import pixels

from tests.hub.airlock.checks.conftest import Checking, rules
from tests.hub.airlock.checks.test_images import figure

BASE64_OF_A_CSV = base64.b64encode(b"person_id,stage\n" + b"1234,2\n" * 60).decode()


@pytest.fixture(autouse=True)
def _no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "words_of", lambda picture: "")


def notebook(*outputs: dict[str, Any], source: str = "x = 1", kind: str = "code", **metadata: Any) -> str:
    cell = {"cell_type": kind, "source": source.splitlines(True), "metadata": {}, "outputs": list(outputs)}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [cell]})


def shown(mime: str, content: str, **more: str) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": {mime: content, **more}}


def table(persons: int) -> str:
    return pl.DataFrame({"sex": ["women", "men"], "persons": [persons, 95]})._repr_html_()


@pytest.mark.parametrize(
    "content",
    [
        notebook(source="project.count(cohort, epsilon=1.0)  # n = 5 rounds"),
        notebook(shown("text/html", table(120), **{"text/plain": "shape: (2, 2)"})),
        notebook({"output_type": "stream", "name": "stdout", "text": ["The AUC is 0.81\n"]}),
    ],
)
def test_ordinary_notebooks_pass(check: Checking, content: str) -> None:
    assert rules(check({"a.ipynb": content})["a.ipynb"]) == set()


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (notebook(shown("text/html", table(4))), "table.small_count"),
        (notebook(shown("text/html", "<script>alert(1)</script>")), "notebook.active_output"),
        (notebook(shown("text/html", '<img src="http://example.com/x">')), "notebook.active_output"),
        (notebook(shown("text/html", '<p onclick="x()">x</p>')), "notebook.active_output"),
        (notebook(shown("application/javascript", "alert(1)")), "notebook.unchecked_output"),
        (notebook(shown("application/vnd.plotly.v1+json", "{}")), "notebook.unchecked_output"),
        (notebook(shown("application/vnd.jupyter.widget-view+json", "{}")), "notebook.unchecked_output"),
        (notebook(widgets={"application/vnd.jupyter.widget-state+json": {}}), "notebook.widgets"),
        (notebook(shown("image/png", base64.b64encode(figure("bars")).decode())), "notebook.figure"),
        (notebook(shown("image/png", base64.b64encode(figure("bars") + b"rows").decode())), "image.data_after_the_end"),
        (notebook(shown("image/png", base64.b64encode(b"rows").decode())), "image.broken"),
        (notebook(shown("image/svg+xml", figure("scatter", "svg").decode())), "image.points"),
        (notebook({"output_type": "stream", "text": "3 women died"}), "text.small_number"),
        (notebook({"output_type": "stream", "text": "a 1 2\nb 3 4\nc 5 6\n"}), "notebook.table_as_text"),
        (notebook({"output_type": "error", "traceback": ["943 476 5919"]}), "text.identifier"),
        (notebook(source="password = 'kr8mwoPq'"), "secret.found"),
        (notebook(source=f"data = '{BASE64_OF_A_CSV}'"), "text.encoded"),
        (notebook({"output_type": "stream", "text": BASE64_OF_A_CSV}), "text.encoded"),
        (notebook(source="Three women died.", kind="markdown"), "text.small_number"),
        (notebook({"output_type": "other"}), "notebook.unchecked_output"),
        ('{"cells": []}', "format.unreadable"),
        ('{"nbformat": 4, "cells": [7]}', "format.unreadable"),
    ],
)
def test_what_a_notebook_must_not_hold_is_found(check: Checking, content: str, rule: str) -> None:
    assert rule in rules(check({"a.ipynb": content})["a.ipynb"])
