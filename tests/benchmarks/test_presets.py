"""The preset is held against a grid on data that no other benchmark uses."""

from __future__ import annotations

import numpy as np

from benchmarks import presets


def test_the_data_sets_are_nine_with_two_labels_each():
    suite = presets.suite()
    assert len(suite) == 9
    assert all(set(np.unique(labels)) == {0.0, 1.0} and len(rows) == len(labels) for rows, labels in suite.values())


def test_the_preset_is_one_row_and_all_else_is_to_compare_with(monkeypatch):
    monkeypatch.setattr(presets, "CLIPS", (0.5,))
    monkeypatch.setattr(presets, "WALKS", (1.0, 2.5))
    monkeypatch.setattr(presets, "ROUNDS", (40,))
    monkeypatch.setattr(presets, "EPSILONS", (8.0,))
    rows = list(presets.run(splits=1))
    assert [row.name.split("/")[1] for row in rows] == ["preset", "other"]
    assert min(row.ours for row in rows) == 0
    assert rows[1].holds
