from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.errors import SecureSumError
from flip_sdk.secure_sum.vector import flatten, size_of, unflatten

SHAPES = {"weight": (2, 3), "bias": (2,), "one": ()}
TENSORS = {"weight": np.arange(6.0).reshape(2, 3), "bias": np.array([7.0, 8.0]), "one": np.array(9.0)}


def test_by_name_and_back():
    vector = flatten(TENSORS, SHAPES)

    assert vector.tolist() == [7, 8, 9, 0, 1, 2, 3, 4, 5]
    assert size_of(SHAPES) == 9
    back = unflatten(vector, SHAPES)
    assert {name: value.tolist() for name, value in back.items()} == {n: v.tolist() for n, v in TENSORS.items()}


@pytest.mark.parametrize(
    "tensors", [{}, {"weight": TENSORS["weight"]}, TENSORS | {"bias": np.zeros(3)}, TENSORS | {"more": np.zeros(1)}]
)
def test_other_tensors(tensors):
    with pytest.raises(SecureSumError):
        flatten(tensors, SHAPES)


@pytest.mark.parametrize("vector", [np.zeros(8), np.zeros(10), np.zeros((9, 1))])
def test_other_vectors(vector):
    with pytest.raises(SecureSumError):
        unflatten(vector, SHAPES)
