"""The examples of docs/images-as-features.md run, in their order."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "images-as-features.md"


def test_the_examples_of_the_guide_run() -> None:
    known: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), known)  # our own document

    assert known["shown"].shape == (3, 1, 64, 64)
    assert known["tiles"].record().tiles == 16
