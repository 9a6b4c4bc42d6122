"""Persons of the digits benchmark are disjoint, and its table's rows are what they are called."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from flip_sdk.contract.jobs import DistributedNoise, LocalNoise
from sklearn.datasets import load_digits

from benchmarks import digits


def test_every_person_is_in_one_place_and_has_few_pictures_of_one_digit():
    split = digits.divided(0)
    parts = [*split.trusts.values(), split.test]
    every = load_digits()
    assert len(split.trusts) == 4
    assert sum(part.count for part in parts) > 600
    for part in parts:
        assert part.rows.max() <= digits.MOST
        assert all(len(np.unique(part.labels[part.persons == person])) == 1 for person in range(part.count))
    pictures = np.concatenate([part.features for part in parts])
    assert len(np.unique(pictures, axis=0)) == len(pictures) <= len(every.data)


def test_only_epsilon_and_the_trust_model_differ_between_cells():
    together, alone = digits.spec_of(3.0, DistributedNoise()), digits.spec_of(3.0, LocalNoise())
    assert together.privacy.model_copy(update={"trust_model": LocalNoise()}) == alone.privacy
    assert together.model_copy(update={"privacy": alone.privacy}) == alone


def test_one_split_gives_every_row(monkeypatch):
    short = replace(digits.PRESETS["full_batch"], rounds=2)
    monkeypatch.setattr(digits, "PRESETS", {"full_batch": short})
    monkeypatch.setattr(digits, "_free", lambda *_: SimpleNamespace(accuracy=0.9))
    monkeypatch.setattr(digits, "advice", lambda *_: SimpleNamespace(model="linear", accuracy=0.5))
    rows = [row.name for row in digits.run(splits=1, epsilons=(8.0,))]
    assert len(rows) == len(set(rows))
    assert set(rows) == {
        "digits/majority",
        *(f"digits/{name}/no_privacy" for name in digits.MODELS),
        *(f"digits/{name}/eps8/{way}" for name in digits.MODELS for way in ("shared", "alone")),
        "digits/advice/eps8",
    }


@pytest.mark.slow
def test_one_split_holds_every_bar():
    assert all(row.holds for row in digits.run(splits=1, epsilons=(3.0,)))
