"""What a catalogue's numbers cost, and what is told of noisy ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.accounting.composition import epsilon_of
from flip_sdk.contract.holdings import BODY_PARTS, MODALITIES, MONTHS, TABLES, YEARS, Holdings
from flip_sdk.mechanisms import holdings
from flip_sdk.mechanisms.holdings import LONGEST, SHARES, Check, Counts, Public, measure

CHECKS = (
    Check("completeness", "measurement", "each person has a row", 95.0, covers=True),
    Check("plausibility", "measurement", "measurement_date is not in the future", 0.0),
    Check("completeness", "person", "month_of_birth is known", 5.0),
    Check("plausibility", "observation", "observation_date is not in the future", 0.0),
)
PUBLIC = Public((11, 12, 13), CHECKS, year=2026, month=2, floor=10, rounding=5)
CT, CHEST, MEASUREMENT = MODALITIES.index("CT"), 1 + BODY_PARTS.index("CHEST"), TABLES.index("measurement")
MANY = 200_000


def counts(**changes):
    nothing = {group: np.zeros(shape) for group, shape in holdings.shapes(PUBLIC).items()}
    return Counts(**(nothing | changes))


def filled(group, *cells):
    found = np.zeros(holdings.shapes(PUBLIC)[group])
    for *place, number in cells:
        found[tuple(place)] = number
    return found


def told(epsilon=1.0, persons=MANY, **changes) -> Holdings:
    return measure(counts(**changes), PUBLIC, persons, epsilon, 1e-5)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0])
def test_all_of_it_costs_what_was_asked_and_no_more(epsilon):
    spent = epsilon_of({holdings.debit_of_holdings(epsilon, 1e-5).event: 1}, 1e-5)
    assert 0.999 * epsilon < spent <= epsilon


def test_the_groups_together_are_the_event_that_is_debited():
    assert sum(SHARES.values()) == pytest.approx(1, abs=1e-15)
    event = holdings.debit_of_holdings(2.0, 1e-5).event
    parts = [
        (holdings.sensitivity(group, math.prod(shape)) / holdings.deviation(group, math.prod(shape), 2.0, 1e-5)) ** 2
        for group, shape in holdings.shapes(PUBLIC).items()
    ]
    assert sum(parts) == pytest.approx(event.noise_multiplier**-2)


def test_a_row_is_shortened_to_what_the_noise_is_made_for():
    lengths = np.array([0.0, 1.0, 16.0, 40.0])
    within = lengths * holdings.shortened_weights(lengths, "concepts", 10_000)
    assert within.tolist() == [0, 1, 16, LONGEST["concepts"]]
    assert holdings.shortened_weights(np.array([2.0]), "concepts", 1)[0] == 0.5


def test_the_noise_has_the_size_that_is_told():
    cells = np.concatenate([told(concepts=np.full(3, 1e6)).concepts for _ in range(400)])
    noise = np.array([cell.persons for cell in cells]) - 1e6
    assert np.std(noise) == pytest.approx(told().noise.concepts, rel=0.1)


def test_what_is_over_the_floor_is_told_rounded():
    found = told(
        concepts=np.array([MANY, 0, 5000.0]),
        imaging=filled("imaging", (CT, 0, 9000), (CT, CHEST, 4000)),
        years=filled("years", (MEASUREMENT, YEARS - 1, 9000)),
    )
    assert [row.concept_id for row in found.concepts] == [11, 13]
    assert [(row.modality, row.body_part) for row in found.imaging] == [("CT", ""), ("CT", "CHEST")]
    assert [(row.table, row.year) for row in found.years] == [("measurement", 2026)]
    assert all(row.persons % 5 == 0 for row in (*found.concepts, *found.imaging, *found.years))


def test_the_latest_month_is_that_since_which_enough_persons_were_seen():
    few_each = [(MEASUREMENT, 1 + month, 60) for month in range(MONTHS - 4)]
    one_month = [(MEASUREMENT, 0, MANY), (MEASUREMENT, MONTHS - 2, 5000), (MEASUREMENT, MONTHS, 3)]
    (table,) = told(tables=filled("tables", *few_each, *one_month)).tables
    assert table.latest == "2025-12"  # January had nobody, and three persons of February are too few
    assert table.recent == pytest.approx(5000 + 8 * 60, abs=600)
    (old,) = told(tables=filled("tables", (MEASUREMENT, 0, MANY))).tables
    assert (old.latest, old.recent) == (None, None)


def test_quality_is_the_share_of_persons_rows_and_says_how_sure_it_is():
    found = told(
        tables=filled("tables", (MEASUREMENT, 0, MANY / 2)), quality=np.array([0.0, 0.3 * MANY / 2, 0.01 * MANY, 0.0])
    )
    coverage, future, birth = found.quality
    assert coverage.percent == pytest.approx(50, abs=1)
    assert coverage.passed
    assert future.percent == pytest.approx(30, abs=1)
    assert not future.passed
    assert (birth.table, birth.passed) == ("person", True)
    few = told(persons=100, tables=filled("tables", (MEASUREMENT, 0, 100)), quality=np.zeros(4))
    assert few.quality == ()


def test_counts_of_another_shape_are_not_released():
    with pytest.raises(ValueError, match="shape"):
        told(concepts=np.zeros(4))
