"""Clipping is safe in floating point: no norm is below the true one, no rounding moves more than the clip."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.bookkeeping.layers import add_matrix
from flip_sdk.mechanisms.bookkeeping.sink import Factored, Rows, Sink
from hypothesis import given, settings
from hypothesis import strategies as st

numbers = st.floats(-1e30, 1e30).map(lambda number: float(np.float32(number)))


def exact_squares(left, right):
    """The squared norm of ``leftᵀ · right`` for one person, in rational arithmetic."""
    a = [[Fraction(float(number)) for number in row] for row in left]
    b = [[Fraction(float(number)) for number in row] for row in right]
    positions = range(len(a))
    return sum(sum(a[t][i] * b[t][j] for t in positions) ** 2 for i in range(len(a[0])) for j in range(len(b[0])))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3), st.data())
def test_the_norm_of_a_product_is_never_below_the_true_one(positions, data):
    def draw(width):
        listed = st.lists(numbers, min_size=width, max_size=width)
        return data.draw(st.lists(listed, min_size=positions, max_size=positions))

    left, right = draw(3), draw(2)
    found = Factored(torch.tensor([left]), torch.tensor([right])).squares().sqrt() * (1 + 2.0**-22)
    assert Fraction(float(found)) ** 2 >= exact_squares(np.float32(left), np.float32(right))


def test_terms_that_cancel_do_not_hide_a_gradient():
    """Two positions whose products are 10^30 and cancel but for 1: float32 would find nothing, or anything."""
    left = torch.tensor([[[1e15], [1e15], [1.0]]])
    right = torch.tensor([[[1e15, 0.0], [-1e15, 0.0], [1.0, 0.0]]])
    for whole in (False, True):
        sink = Sink(1, 1, whole=whole)
        sink.hold("w", Factored(left.clone(), right.clone()))
        sums = {"w": torch.zeros(1, 2, dtype=torch.float64)}
        sink.add_clipped(sums, 1.0, 1)
        assert sums["w"].norm() <= 1.0


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("clip", [1e-30, 1.0, 1e4])
def test_whoever_is_clipped_has_the_clips_length(alone, size, clip):
    torch.manual_seed(0)
    sink = Sink(4, 1)
    add_matrix(sink, "w", size * torch.randn(4, 1, 50), torch.randn(4, 1, 40), alone=alone)
    sink.add("b", torch.zeros(4, 50))
    sums = {"w": torch.zeros(50, 40, dtype=torch.float64), "b": torch.zeros(50, dtype=torch.float64)}
    norms = sink.squares().sqrt()
    sink.add_clipped(sums, clip, 1)
    expected = min(float(norms[0]), clip)
    assert float(sums["w"].norm()) == pytest.approx(expected, rel=1e-4)
    assert float(sums["w"].norm()) <= clip


def test_a_large_sum_in_float32_moves_by_no_more_than_the_clip():
    torch.manual_seed(0)
    left, right = torch.randn(256, 1, 300), torch.randn(256, 1, 200)
    left[:128] = left[0]
    right[:128] = right[0]

    def total(persons):
        sink = Sink(256, 1)
        sink.hold("w", Factored(left.clone(), right.clone()))
        sums = {"w": torch.zeros(300, 200, dtype=torch.float64)}
        sink.add_clipped(sums, 0.1, persons)
        return sums["w"]

    assert float((total(256) - total(255)).norm()) <= 0.1
    assert float((total(128) - total(127)).norm()) <= 0.1


def test_equal_rows_of_a_table_are_added_before_they_are_squared():
    values = torch.tensor([[3.0], [4.0], [12.0], [float("nan")]])
    rows = Rows(values, torch.tensor([0, 0, 1, 2]), torch.tensor([1, 5, 5, 0]), (6, 1), 3)
    sink = Sink(3, 1)
    sink.hold("table", rows)
    sums = {"table": torch.zeros(6, 1, dtype=torch.float64)}
    assert sink.squares()[:2].tolist() == [25.0, 144.0]
    sink.add_clipped(sums, 10.0, 3)
    assert sums["table"][:, 0].tolist() == pytest.approx([0, 3, 0, 0, 0, 14], rel=1e-6)


def test_people_who_only_fill_a_block_do_not_count():
    sink = Sink(3, 1)
    sink.add("b", torch.tensor([[1.0], [1.0], [float("inf")]]))
    sums = {"b": torch.zeros(1, dtype=torch.float64)}
    sink.add_clipped(sums, 5.0, 1)
    assert sums["b"].tolist() == [1.0]
