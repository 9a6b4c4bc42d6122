"""Which slices make an image."""

from __future__ import annotations

import pytest
from flip_sdk.contract.images import Slices, Stack, Volume
from flip_sdk.mechanisms.images.slices import chosen, images_of


@pytest.mark.parametrize(
    ("form", "count", "wanted"),
    [
        (Slices(), 9, [[4]]),
        (Slices(), 1, [[0]]),
        (Slices(take="spread", count=3), 9, [[2], [4], [6]]),
        (Slices(take="spread", count=4), 2, [[0], [1]]),
        (Stack(), 9, [[3, 4, 5]]),
        (Stack(slices=5), 3, [[0, 0, 1, 2, 2]]),
        (Stack(count=2), 9, [[2, 3, 4], [5, 6, 7]]),
        (Volume(), 3, [[0, 1, 2]]),
    ],
)
def test_these(form, count, wanted):
    assert chosen(form, [2.0 * at for at in range(count)]) == wanted
    assert images_of(form, count) == len(wanted)


def test_distances_are_millimetres_whatever_the_slices_are_apart():
    assert chosen(Stack(slices=3, apart=4.0), [float(at) for at in range(11)]) == [[1, 5, 9]]
    assert chosen(Stack(slices=3, apart=4.0), [5.0 * at for at in range(5)]) == [[1, 2, 3]]
    assert chosen(Stack(slices=3, apart=0.1), [5.0 * at for at in range(5)]) == [[2, 2, 2]]
