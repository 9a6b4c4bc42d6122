"""Where a slide has tissue, and which tiles have enough of it."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.images import TileImages
from flip_sdk.mechanisms.images.tiles import grid, resized, shown, tissue


def test_tissue_is_what_is_coloured():
    picture = np.random.default_rng(1).integers(235, 245, (40, 40, 3)).astype(np.uint8)
    assert not tissue(picture).any()
    picture[10:20, 5:15] = (170, 80, 160)
    picture[30:35, 30:35] = (60, 60, 60)
    found = tissue(picture)

    assert found[10:20, 5:15].all()
    assert found.sum() == 100


@pytest.mark.parametrize("step", [5.0, 2.5, 0.5])
def test_tiles_with_enough_tissue_are_found_whatever_the_mask_is_like(step):
    mask = np.zeros((10, 20), bool)
    mask[0:5, 5:10] = True
    tiles = int(5 / step)
    wanted = {(r, c) for r in range(tiles) for c in range(tiles, 2 * tiles)}

    assert set(grid(mask, (step, step), 0.5)) == wanted
    assert len(grid(mask, (step, step), 0.0)) == int(10 / step) * int(20 / step)


def test_a_share_is_exact_between_the_elements_of_a_mask():
    mask = np.zeros((4, 4), bool)
    mask[:, :2] = True
    assert grid(mask, (4.0, 3.0), 0.66) == [(0, 0)]
    assert grid(mask, (4.0, 3.0), 0.67) == []


def test_a_tile_is_shown_in_colour_or_grey():
    tile = np.zeros((16, 16, 3), np.uint8)
    tile[..., 0] = 255
    assert shown(tile, TileImages(tile=16))[:, 0, 0].tolist() == [1, -1, -1]
    assert shown(tile, TileImages(tile=16, colour=False))[:, 0, 0] == pytest.approx([2 * 0.299 - 1], abs=1e-3)
    assert resized(tile, 8, 8).shape == (8, 8, 3)
    assert resized(tile, 16, 16) is tile
