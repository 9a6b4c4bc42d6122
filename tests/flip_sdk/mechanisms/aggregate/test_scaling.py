"""Shared feature scaling out of noisy sums."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import ModelRef, Privacy, Scaling, TrainSpec
from flip_sdk.contract.prepare import MIDDLE_OF_SQUARES, longest, sensitivity, weight_of_count
from flip_sdk.contract.records import digest
from flip_sdk.mechanisms.aggregate import Prepared, scaling_from

BOUNDS = ((0.0, 10.0), (-1.0, 1.0), (100.0, 300.0))


def spec(scaling="dp_statistics"):
    return TrainSpec(
        project_id="p",
        features=tuple(Feature(concept_id=i, low=low, high=high) for i, (low, high) in enumerate(BOUNDS)),
        label=Label(condition_concept_ids=(1,)),
        model=ModelRef(graph=digest(b""), weights=digest(b"")),
        privacy=Privacy(scaling=scaling),
    )


def prepared(x, noise=1e-9):
    squares = (x**2 - MIDDLE_OF_SQUARES).sum(axis=0)
    tensors = {"persons": np.array([float(len(x))]), "sum": x.sum(axis=0), "sum_of_squares": squares}
    return Prepared(tensors, noise)


def test_the_release_is_bounded_as_the_design_says():
    assert longest(3) == pytest.approx(0.7 * np.sqrt(3))
    assert weight_of_count(spec()) == pytest.approx(0.5 * longest(3))
    assert sensitivity(spec()) == pytest.approx(np.hypot(0.5 * longest(3), longest(3)))
    assert weight_of_count(spec("public_bounds")) == sensitivity(spec("public_bounds")) == 1.0


def test_public_bounds_need_only_a_count():
    counts = {name: Prepared({"persons": np.array([n])}, 1.0) for name, n in (("a", 10.0), ("b", 30.0))}
    total, scaling, persons = scaling_from(counts, spec("public_bounds"))
    assert total == 40
    assert persons == {"a": 10.0, "b": 30.0}
    assert scaling.shift == (5.0, 0.0, 200.0)
    assert scaling.scale == (5.0, 1.0, 100.0)


def test_without_noise_the_scaling_standardises_everybody_together():
    random = np.random.default_rng(0)
    raw = np.stack([random.uniform(low, high, 300) for low, high in BOUNDS], axis=1)
    low, high = np.array(BOUNDS).T
    unit = (raw - (low + high) / 2) / ((high - low) / 2)
    _, scaling, _ = scaling_from({"a": prepared(unit[:50]), "b": prepared(unit[50:])}, spec())
    standardised = (raw - np.array(scaling.shift)) / np.array(scaling.scale)
    assert standardised.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert standardised.std(axis=0) == pytest.approx(np.full(3, 1 / 0.8))
    assert scaling.max_norm == pytest.approx(np.sqrt(3))


def test_a_variance_within_its_noise_is_not_divided_by():
    unit = np.zeros((100, 3)) + np.array([0.0, 0.5, -0.5])
    noise = 4.0
    _, scaling, _ = scaling_from({"a": prepared(unit, noise), "b": prepared(unit, noise)}, spec())
    error = noise * sensitivity(spec()) * np.sqrt(2) / 200
    least = np.sqrt(error * np.sqrt(1 + 4 * np.array([0.0, 0.5, 0.5]) ** 2))
    assert np.array(scaling.scale) / np.array([5.0, 1.0, 100.0]) == pytest.approx(0.8 * least)


def test_a_scaling_that_is_given_is_taken():
    given = Scaling(shift=(1.0, 2.0, 3.0), scale=(1.0, 1.0, 2.0), max_norm=1.5)
    asked = spec("given").model_copy(update={"scaling": given})
    assert scaling_from({"a": Prepared({"persons": np.array([7.0])}, 1.0)}, asked) == (7.0, given, {"a": 7.0})


@pytest.mark.parametrize("persons", [-20.0, 0.0, 1.0])
def test_nonsense_from_heavy_noise_still_makes_a_scaling(persons):
    wild = {"persons": np.array([persons]), "sum": np.array([1e9, -1e9, 0]), "sum_of_squares": np.array([-1e9, 1e9, 0])}
    total, scaling, _ = scaling_from({"a": Prepared(wild, 1e6)}, spec())
    assert total >= 1
    low, high = np.array(BOUNDS).T
    assert all((np.array(scaling.shift) >= low) & (np.array(scaling.shift) <= high))
    assert all(0 < scale <= half for scale, half in zip(scaling.scale, (5.0, 1.0, 100.0), strict=True))


def test_the_order_of_the_trusts_does_not_matter():
    random = np.random.default_rng(1)
    parts = {name: prepared(random.uniform(-1, 1, (n, 3))) for name, n in (("c", 5), ("a", 9), ("b", 7))}
    backwards = dict(reversed(parts.items()))
    assert scaling_from(parts, spec())[1] == scaling_from(backwards, spec())[1]
