from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.simulate.drawings import KINDS, draw, healthy_chests

import flip_sdk as flip

IMAGES = flip.images("CT").stack(3).window(-1000, 400).spacing(5, 5).size(64, 64)


@pytest.fixture(scope="module")
def pictures():
    return healthy_chests(IMAGES, 6, seed=3)


def test_the_same_seed_makes_the_same_people(pictures):
    assert pictures.shape == (6, 3, 64, 64)
    assert np.array_equal(healthy_chests(IMAGES, 2, seed=3), pictures[:2])
    assert not np.array_equal(healthy_chests(IMAGES, 1, seed=4), pictures[:1])


def test_what_is_drawn_is_seen_in_all_channels_and_nothing_else_is_changed(pictures):
    drawn, kinds = draw(pictures, np.random.default_rng(1), grain=0)
    again, _ = draw(pictures, np.random.default_rng(1), grain=0)

    assert np.array_equal(drawn, again)
    for before, after, kind in zip(pictures, drawn, kinds, strict=True):
        # a picture may have been mirrored
        same = min((before, before[..., ::-1]), key=lambda one: int((one != after).sum()))
        changed = same != after
        assert changed.any() == (KINDS[kind] != "nothing")
        assert changed.mean() < 0.1
        assert (after >= same).all()
    assert len(set(kinds.tolist())) > 1


def test_where_there_is_no_lung_nothing_is_drawn():
    empty = np.full((4, 3, 64, 64), -1.0, dtype=np.float32)
    drawn, kinds = draw(empty, np.random.default_rng(0), grain=0)

    assert np.array_equal(drawn, empty)
    assert not kinds.any()


def test_grain_is_in_every_picture_and_as_strong_as_asked(pictures):
    grainy, _ = draw(pictures, np.random.default_rng(1), grain=0.1)
    smooth, _ = draw(pictures, np.random.default_rng(1), grain=0)
    strength = (grainy - smooth).std(axis=(1, 2, 3))

    assert (strength > 0).all()
    assert strength.max() < 0.11
