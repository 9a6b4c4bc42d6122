"""Which slices of a series make an image: one, a few neighbours as channels, or all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.images import Slices, Stack, Volume

Positions = npt.NDArray[np.float64]


def images_of(form: Slices | Stack | Volume, slices: int) -> int:
    """How many images a series of so many slices gives."""
    return 1 if isinstance(form, Volume) else len(_centres(form, slices))


def chosen(form: Slices | Stack | Volume, positions: Sequence[float] | Positions) -> list[list[int]]:
    """For each image the slices that it is made of, in their order.

    Args:
        form: what is asked for.
        positions: ``[slices]`` millimetres along the normal, ascending.
    """
    count = len(positions)
    if isinstance(form, Volume):
        return [list(range(count))]
    centres = _centres(form, count)
    if isinstance(form, Slices):
        return [[centre] for centre in centres]
    return [_around(form, np.asarray(positions, np.float64), centre) for centre in centres]


def _centres(form: Slices | Stack, count: int) -> list[int]:
    """``count`` slices at equal distances, the ends left out; a short series has fewer."""
    wanted = 1 if isinstance(form, Slices) and form.take == "middle" else form.count
    return sorted({(i + 1) * count // (wanted + 1) for i in range(wanted)})


def _around(form: Stack, positions: Positions, centre: int) -> list[int]:
    """Where the series ends, its last slice stands for those that are missing."""
    steps = np.arange(form.slices) - form.slices // 2
    if form.apart is None:
        return [int(at) for at in np.clip(centre + steps, 0, len(positions) - 1)]
    places = positions[centre] + form.apart * steps
    return [int(at) for at in np.abs(positions[None, :] - places[:, None]).argmin(1)]
