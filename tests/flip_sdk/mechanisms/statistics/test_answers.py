"""Answers agree with the textbook's where there is next to no noise, and their intervals hold where there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.contract.statistics import KaplanMeier
from flip_sdk.mechanisms.aggregate.figures import noise_variance
from flip_sdk.mechanisms.statistics.answers import of_cells, of_means
from flip_sdk.mechanisms.statistics.columns import Columns
from flip_sdk.mechanisms.statistics.intervals import monotone
from flip_sdk.mechanisms.statistics.release import CELLS
from flip_sdk.mechanisms.statistics.sums import exact

from tests.flip_sdk.mechanisms.statistics.cases import (
    CURVE,
    DESCRIPTION,
    FOLLOW_UP,
    HISTOGRAM,
    MEAN,
    QUANTILES,
    TABLE,
    survival,
    together,
    with_noise,
)

SURE = 50.0
"""An epsilon at which no cell is off by one."""
ONE_CURVE = KaplanMeier(follow_up=FOLLOW_UP)


def released(random: np.random.Generator, question, columns: Columns, epsilon: float) -> dict[str, np.ndarray]:
    """Cells with discrete Laplace noise (a difference of two geometric numbers), from a seeded generator."""
    p = 1 - math.exp(-epsilon)
    cells = exact(question, columns)[CELLS]
    return {CELLS: cells + random.geometric(p, cells.shape) - random.geometric(p, cells.shape)}


def radii(random: np.random.Generator, persons: int) -> Columns:
    values = np.where(random.random(persons) < 0.1, np.nan, random.gamma(4, 1.0, persons))
    return Columns.of(persons, measurements=values[:, None])


def times(random: np.random.Generator, persons: int) -> Columns:
    columns = survival(random, persons)
    return Columns.of(persons, days=columns.days, events=columns.events)


def test_a_description_tells_how_many_and_who_and_its_errors_hold() -> None:
    random = np.random.default_rng(5)
    levels = np.stack([random.integers(0, 3, 400), random.integers(0, 4, 400), random.integers(0, 2, 400)], axis=1)
    columns, epsilon = Columns.of(400, levels=levels), 1.0
    many = [
        of_cells(DESCRIPTION, {"a": released(random, DESCRIPTION, columns, epsilon / 3)}, epsilon) for _ in range(400)
    ]
    totals = np.array([answer[0].estimate for answer in many])

    assert [e.of for e in many[0] if e.trust == "a"][:2] == [("total",), ("sex", "male")]
    assert [e.of for e in many[0] if e.trust == "a"][-1] == ("condition", "treated")
    assert abs(totals.mean() - 400) < 3 * totals.std() / 20
    assert totals.std() == pytest.approx(many[0][0].standard_error, rel=0.15)
    # better than any one of the tables by itself
    assert many[0][0].standard_error < math.sqrt(2 * noise_variance(epsilon / 3))


def test_a_table_tells_its_cells_its_total_and_keeps_small_ones_back() -> None:
    levels = np.array([[0, 0]] * 30 + [[1, 1]] * 4 + [[2, 0]] * 12)
    cells = exact(TABLE, Columns.of(len(levels), levels=levels))
    found = of_cells(TABLE, {"b": cells, "a": cells}, SURE)

    assert [e.trust for e in found] == ["a"] * 7 + ["b"] * 7 + ["all"] * 7
    assert {e.of: e.estimate for e in found if e.trust == "a" and e.estimate is not None} == {
        ("male", "no treated"): 30,
        ("unknown", "no treated"): 12,
        ("total",): 46,
    }
    assert {e.of: e.estimate for e in together(found)}[("male", "no treated")] == 60


def test_errors_of_a_table_are_those_of_its_noise() -> None:
    cells = {CELLS: np.full((3, 2), 100.0)}
    alone = of_cells(TABLE, {"a": cells}, 0.5)
    both = together(of_cells(TABLE, {"a": cells, "b": cells}, 0.5))

    assert alone[0].standard_error == pytest.approx(math.sqrt(noise_variance(0.5)))
    assert both[0].standard_error == pytest.approx(math.sqrt(2 * noise_variance(0.5)))
    assert both[-1].standard_error == pytest.approx(math.sqrt(12 * noise_variance(0.5)))


def test_a_histogram_tells_its_bins_and_what_lies_outside() -> None:
    found = of_cells(HISTOGRAM, {"a": {CELLS: np.array([50.0, 20, 9, 30, 40, 11, 12, 13])}}, SURE)[:9]

    assert [(e.at, e.to, e.estimate) for e in found[:3]] == [(0, 2, 50), (2, 4, 20), (4, 6, None)]
    assert [(*e.of, e.estimate) for e in found[5:]] == [
        ("below", 11),
        ("above", 12),
        ("not measured", 13),
        ("total", 185),
    ]


def test_means_and_standard_deviations() -> None:
    random = np.random.default_rng(1)
    measured = np.clip(random.normal([6, 1], [1.5, 2], (4000, 2)), [0, -5], [10, 5])
    measured[::7, 1] = np.nan
    sums = exact(MEAN, Columns.of(4000, measurements=measured))
    found = {(e.of[0], e.quantity): e for e in of_means(MEAN, {"a": sums}, 1e-6) if e.trust == "a"}

    known = measured[~np.isnan(measured[:, 1]), 1]
    assert found["texture", "persons"].estimate == len(known)
    assert found["texture", "mean"].estimate == pytest.approx(known.mean())
    assert found["texture", "mean"].standard_error == pytest.approx(known.std() / math.sqrt(len(known)), rel=1e-3)
    assert found["texture", "standard_deviation"].estimate == pytest.approx(known.std())
    assert found["radius", "mean"].estimate == pytest.approx(measured[:, 0].mean())


def test_quantiles_lie_within_a_bin_of_the_samples() -> None:
    columns = radii(np.random.default_rng(2), 5000)
    values = columns.measurements[:, 0]
    found = together(of_cells(QUANTILES, {"a": exact(QUANTILES, columns)}, SURE))

    for e in found:
        assert e.estimate == pytest.approx(np.nanquantile(values, e.at), abs=10 / QUANTILES.bins)
        assert e.low < e.estimate < e.high


def test_a_quantile_beyond_the_public_bounds_is_told_as_the_bound() -> None:
    cells = np.zeros(QUANTILES.bins + 3)
    cells[QUANTILES.bins] = 1000
    below = together(of_cells(QUANTILES, {"a": {CELLS: cells}}, SURE))
    cells = np.roll(cells, 1)
    above = together(of_cells(QUANTILES, {"a": {CELLS: cells}}, SURE))

    assert {e.estimate for e in below} == {0.0}
    assert {e.estimate for e in above} == {10.0}


def life_table(days: np.ndarray, events: np.ndarray) -> np.ndarray:
    """The actuarial estimate, person by person."""
    curve, left = [], 1.0
    for low in range(0, 1000, 200):
        inside = (days >= low) & (days < low + 200)
        died, censored = int((inside & (events == 1)).sum()), int((inside & (events == 0)).sum())
        left *= 1 - died / ((days >= low).sum() - censored / 2)
        curve.append(left)
    return np.array(curve)


def kaplan_meier(days: np.ndarray, events: np.ndarray, until: float) -> float:
    """The product limit, event by event."""
    left = 1.0
    for day in np.unique(days[(events == 1) & (days < until)]):
        left *= 1 - ((days == day) & (events == 1)).sum() / (days >= day).sum()
    return left


def test_a_curve_is_the_life_tables_and_near_to_kaplan_and_meiers() -> None:
    columns = times(np.random.default_rng(3), 5000)
    found = together(of_cells(ONE_CURVE, {"a": exact(ONE_CURVE, columns)}, SURE))
    estimates = np.array([e.estimate for e in found])

    assert [e.at for e in found] == [200, 400, 600, 800, 1000]
    assert estimates == pytest.approx(life_table(columns.days, columns.events))
    assert estimates == pytest.approx([kaplan_meier(columns.days, columns.events, e.at) for e in found], abs=0.01)


def test_greenwoods_error_without_noise() -> None:
    columns = Columns.of(100, days=np.repeat([100.0, 2000.0], 50), events=np.repeat([1, 0], 50))
    (first, *_) = together(of_cells(ONE_CURVE, {"a": exact(ONE_CURVE, columns)}, SURE))

    # half of a hundred: the binomial error
    assert (first.estimate, first.standard_error) == (pytest.approx(0.5), pytest.approx(0.05))


def test_each_group_has_a_curve() -> None:
    columns = survival(np.random.default_rng(4), 4000)
    curve = Columns.of(4000, levels=columns.levels, days=columns.days, events=columns.events)
    found = together(of_cells(CURVE, {"a": exact(CURVE, curve)}, SURE))
    treated = columns.levels[:, 0] == 1

    of = {group: np.array([e.estimate for e in found if e.of == (group,)]) for group in ("no treated", "treated")}
    assert of["treated"] == pytest.approx(life_table(columns.days[treated], columns.events[treated]))
    assert (of["no treated"] > of["treated"]).all()


def test_curves_fall_and_stay_between_none_and_all_however_noisy() -> None:
    random = np.random.default_rng(5)
    for _ in range(50):
        found = of_cells(ONE_CURVE, {"a": released(random, ONE_CURVE, times(random, 150), 0.3)}, 0.3)
        known = [e.estimate for e in found if e.trust == "a" and e.estimate is not None]
        assert all(0 <= value <= 1 for value in known)
        assert known == sorted(known, reverse=True)


@pytest.mark.parametrize("question", [ONE_CURVE, QUANTILES], ids=lambda question: question.kind)
def test_nothing_is_told_of_noise_alone(question) -> None:
    nobody = Columns.of(0, measurements=np.empty((0, 1 if question is QUANTILES else 0)))
    random = np.random.default_rng(6)
    told = [
        e.estimate
        for _ in range(100)
        for e in together(of_cells(question, {"a": released(random, question, nobody, 0.5)}, 0.5))
    ]

    assert sum(value is not None for value in told) < 0.02 * len(told)


def held(estimates, truth) -> list[bool]:
    """Whether each interval holds the truth."""
    return [e.low <= value <= e.high for e, value in zip(estimates, truth, strict=True)]


def test_intervals_of_quantiles_hold_the_populations() -> None:
    epsilon, random = 0.5, np.random.default_rng(7)
    truth = np.quantile(random.gamma(4, 1.0, 400_000), QUANTILES.probabilities)
    found = []
    for _ in range(150):
        numbers = {f"t{i}": released(random, QUANTILES, radii(random, 400), epsilon) for i in range(3)}
        found.append(held(together(of_cells(QUANTILES, numbers, epsilon)), truth))

    assert np.mean(found, axis=0) == pytest.approx(0.95, abs=0.045)


def test_intervals_of_curves_hold_the_populations() -> None:
    epsilon, random = 0.5, np.random.default_rng(8)
    many = times(random, 300_000)
    truth = [kaplan_meier(many.days, many.events, until) for until in (200, 400, 600, 800, 1000)]
    found = []
    for _ in range(150):
        numbers = {f"t{i}": released(random, ONE_CURVE, times(random, 400), epsilon) for i in range(3)}
        found.append(held(together(of_cells(ONE_CURVE, numbers, epsilon)), truth))

    assert np.mean(found, axis=0) == pytest.approx(0.95, abs=0.045)


def test_intervals_of_means_hold_the_populations() -> None:
    noise_multiplier, random = 3.0, np.random.default_rng(9)
    found = []
    for _ in range(300):
        measured = random.uniform([2, -3], [6, 1], (600, 2))
        sums = {
            f"t{i}": with_noise(random, MEAN, exact(MEAN, Columns.of(300, measurements=part)), noise_multiplier)
            for i, part in enumerate(np.split(measured, 2))
        }
        estimates = [e for e in together(of_means(MEAN, sums, noise_multiplier)) if e.quantity == "mean"]
        found.append(held(estimates, [4, -1]))

    assert np.mean(found, axis=0) == pytest.approx(0.95, abs=0.04)


def test_a_curve_is_not_bent_by_noise() -> None:
    """What is cut off where it would be below zero is above on average; here nothing is cut off."""
    random = np.random.default_rng(10)
    columns = times(random, 600)
    exactly = [e.estimate for e in together(of_cells(ONE_CURVE, {"a": exact(ONE_CURVE, columns)}, SURE))]
    noisy = [
        [e.estimate for e in together(of_cells(ONE_CURVE, {"a": released(random, ONE_CURVE, columns, 0.5)}, 0.5))]
        for _ in range(400)
    ]

    assert np.mean(noisy, axis=0) == pytest.approx(exactly, abs=0.006)


def test_the_nearest_sequence_that_rises() -> None:
    assert monotone(np.array([1.0, 3.0, 2.0, 4.0])).tolist() == [1.0, 2.5, 2.5, 4.0]
    assert monotone(np.array([3.0, 1.0, 2.0]), falling=True).tolist() == [3.0, 1.5, 1.5]
    assert monotone(np.empty(0)).size == 0
