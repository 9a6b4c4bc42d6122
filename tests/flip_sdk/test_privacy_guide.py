"""The examples of docs/privacy.md run, and its table of mechanisms is the presets'."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from flip_sdk.presets import PRESETS

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "privacy.md"
TEXT = GUIDE.read_text("utf-8")


def test_the_examples_of_the_guide_run() -> None:
    known: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), known)  # our own document

    assert known["advice"].model == "linear"
    assert known["figures"]["auc"].is_not_null().any()
    assert known["price"]["job"].to_list() == pytest.approx([1.0] * 4, abs=0.01)
    assert known["hub"].jobs == {}


def test_every_preset_is_in_the_table_with_its_rounds() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*?\| (\d+) \| (\w+) \|", TEXT, re.MULTILINE)
    named = {name: (int(rounds), models) for name, rounds, models in rows}
    assert named == {
        name: (preset.rounds, "both" if len(preset.trust_models) > 1 else preset.trust_models[0])
        for name, preset in PRESETS.items()
    }


def test_what_epsilon_means_is_reckoned() -> None:
    for epsilon, told in ((0.5, "62 %"), (1, "73 %"), (3, "95 %"), (8, "99.97 %")):
        share = 100 * math.exp(epsilon) / (1 + math.exp(epsilon))
        assert f"{share:.2f} %" == told if epsilon == 8 else f"{share:.0f} %" == told
        assert told in TEXT
