"""What a description of images says and makes: in words, and on an array of the researcher's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flip_sdk.contract import images as contract
from flip_sdk.errors import PublicError
from flip_sdk.mechanisms.images import tiles as cutting
from flip_sdk.mechanisms.images.geometry import in_plane, upright
from flip_sdk.mechanisms.images.pipeline import Shown
from flip_sdk.mechanisms.images.slices import chosen

_WHICH = {"largest": "the largest series", "all": "every series"}


def preview_series(asked: contract.SeriesImages, array: npt.ArrayLike, spacing: Sequence[float] | None = None) -> Shown:
    """See :meth:`flip_sdk.imaging.Images.preview`.

    Raises:
        PublicError: MONAI is not installed, or the array is none of an image.
    """
    volume = np.asarray(array, np.float32)
    volume = volume[None] if volume.ndim == 2 else volume
    if volume.ndim != 3 or not volume.size:
        raise PublicError("That is no series.", "Give an array of slices, rows and columns, or of one slice.")
    given = tuple(spacing or (1.0, 1.0, 1.0))
    steps = given if len(given) == 3 else (1.0, *given)
    affine = upright(steps) if isinstance(asked.form, contract.Volume) else in_plane(steps[1:])
    positions = [at * float(steps[0]) for at in range(len(volume))]
    return np.stack(list(_pipeline(asked).each(volume, chosen(asked.form, positions), affine)))


def _pipeline(asked: contract.SeriesImages) -> Any:
    from flip_sdk.mechanisms.images.pipeline import Pipeline

    try:
        return Pipeline(asked)
    except ImportError as error:
        raise PublicError(
            "MONAI is not installed here.", "Install it with: pip install 'flip-sdk[imaging]'."
        ) from error


def preview_tiles(asked: contract.TileImages, picture: npt.ArrayLike, mpp: float) -> Shown:
    """See :meth:`flip_sdk.imaging.Tiles.preview`.

    Raises:
        PublicError: that is no picture.
    """
    colours = np.asarray(picture, np.uint8)
    if colours.ndim != 3 or colours.shape[-1] != 3:
        raise PublicError("That is no picture of a slide.", "Give an array of rows, columns and three colours.")
    rows, columns = (max(1, round(size * mpp / asked.mpp)) for size in colours.shape[:2])
    colours = cutting.resized(colours, rows, columns)
    places = cutting.grid(cutting.tissue(colours), (asked.tile, asked.tile), asked.least_tissue)
    cut = [colours[r * asked.tile :, c * asked.tile :][: asked.tile, : asked.tile] for r, c in places]
    return np.stack([cutting.shown(tile, asked) for tile in cut]) if cut else np.zeros((0, *asked.shape), np.float16)


def in_words(chosen: Mapping[str, Any], transforms: Sequence[contract.AnyTransform]) -> str:
    """A description of series as a person says it."""
    what = " ".join(str(chosen[name]) for name in ("plane", "modality") if chosen.get(name))
    what += f" of the {str(chosen['body_part']).lower()}" if chosen.get("body_part") else ""
    which = _WHICH.get(chosen.get("which", "latest"), f"the {chosen.get('which', 'latest')} series")
    parts = [f"{which}{_days(chosen.get('window'))}, {_form(chosen.get('form', contract.Slices()))}"]
    parts += [_step(step) for step in transforms]
    if "size" in chosen:
        parts.append(f"{_times(chosen['size'])} elements")
    if "low" in chosen:
        parts.append(f"between {chosen['low']:g} and {chosen['high']:g}")
    return f"Images: {what}: {'; '.join(parts)}"


def words_of(asked: contract.AnyImages) -> str:
    """The contract's record as a person says it."""
    if isinstance(asked, contract.TileImages):
        return tiles_in_words(asked)
    return in_words({name: getattr(asked, name) for name in type(asked).model_fields}, asked.transforms)


def tiles_in_words(asked: contract.TileImages) -> str:
    """A description of tiles as a person says it."""
    which = "every slide" if asked.which == "all" else f"the {asked.which} slide"
    colour = "in colour" if asked.colour else "in grey"
    size = f"{asked.tile} × {asked.tile}"
    return (
        f"Tiles: {which}{_days(asked.window)}: up to {asked.tiles} tiles of {size} elements {colour}, "
        f"{asked.mpp:g} µm each, at least {asked.least_tissue:.0%} tissue"
    )


def _days(window: Any) -> str:
    if window is None:
        return ""
    start, end = (("any day" if day is None else f"day {day:+d}") for day in (window.start, window.end))
    return f" from {start} to {end} around the index date"


def _form(form: Any) -> str:
    match form:
        case contract.Volume():
            return "as a volume"
        case contract.Stack():
            apart = "" if form.apart is None else f" {form.apart:g} mm apart"
            times = "" if form.count == 1 else f", {form.count} times"
            return f"{form.slices} neighbouring slices{apart} as channels{times}"
        case _:
            return "its middle slice" if form.take == "middle" else f"{form.count} slices spread over it"


def _step(step: contract.AnyTransform) -> str:
    told = step.model_dump(exclude={"name"}, exclude_defaults=True)
    return step.name + (f"({', '.join(f'{name}={value}' for name, value in told.items())})" if told else "")


def _times(size: Sequence[int]) -> str:
    return " × ".join(map(str, size))
