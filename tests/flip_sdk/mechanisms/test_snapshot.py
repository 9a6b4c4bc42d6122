"""A frozen cohort: rows belong to persons, and it is persons that are counted."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.mechanisms.snapshot import Snapshot

FEATURES = np.arange(10.0).reshape(5, 2)
LABELS = np.array([1, 1, 0, 1, 1])


def visits():
    return Snapshot(FEATURES, LABELS, np.array([0, 0, 1, 2, 2]))


def test_without_persons_every_row_is_one():
    snapshot = Snapshot(FEATURES, LABELS)
    assert snapshot.count == 5
    assert np.array_equal(snapshot.rows, np.ones(5))
    assert np.array_equal(snapshot.label_of_person, LABELS)
    assert np.array_equal(snapshot.mean_of_rows(FEATURES), FEATURES)


def test_rows_of_one_person_count_once():
    snapshot = visits()
    assert snapshot.count == 3
    assert np.array_equal(snapshot.rows, [2, 1, 2])
    assert np.array_equal(snapshot.label_of_person, [1, 0, 1])
    assert np.allclose(snapshot.mean_of_rows(FEATURES), [[1, 2], [4, 5], [7, 8]])


def test_it_travels_with_and_without_persons():
    for snapshot in (visits(), Snapshot(FEATURES, LABELS)):
        back = Snapshot.from_bytes(snapshot.to_bytes())
        assert np.array_equal(back.features, FEATURES)
        assert np.array_equal(back.rows, snapshot.rows)


def test_nobody_is_a_cohort_too():
    for persons in (None, np.zeros(0, dtype=np.int64)):
        nobody = Snapshot(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), persons)
        assert nobody.count == 0
        assert nobody.mean_of_rows(nobody.features).shape == (0, 2)


@pytest.mark.parametrize("persons", [[0, 1, 0, 2, 2], [1, 1, 2, 2, 3], [0, 0, 2, 2, 3], [-1, -1, 0, 0, 0], [0, 0, 0]])
def test_rows_of_a_person_are_next_to_each_other_and_nobody_is_left_out(persons):
    with pytest.raises(ValueError, match="persons"):
        Snapshot(FEATURES, LABELS, np.array(persons))
