"""The example of docs/tutorials.md runs, and its table is the list of tutorials."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flip_sdk.tutorials import TUTORIALS

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "tutorials.md"


def test_the_example_runs_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.delenv("FLIP_HUB_API", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    known: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), known)  # our own document

    assert known["people"].height == len(known["lesson"].catalogue.trusts) + 1
    assert known["table"].height == len(TUTORIALS)


@pytest.mark.parametrize("one", TUTORIALS, ids=lambda one: one.file)
def test_the_table_says_what_is_listed(one) -> None:
    assert re.search(rf"{one.file}\.ipynb\) \|[^|]*\| {one.minutes} \| {one.epsilon:g} \|", GUIDE.read_text("utf-8"))
