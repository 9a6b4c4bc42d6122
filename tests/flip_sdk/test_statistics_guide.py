"""The examples of docs/statistics.md run, in their order, and answer."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
ANSWERS = ("who", "table", "bins", "means", "middle", "curve", "groups", "slopes", "odds", "hazards")


def test_the_examples_of_the_guide_run() -> None:
    known: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), known)  # our own document

    for name in ANSWERS:
        together = known[name].filter(known[name]["trust"] == "all")
        assert together["standard_error"].is_not_null().any(), name
    assert known["calibration"]["brier"].is_not_null().all()
    assert known["reliability"]["observed"].is_not_null().any()
