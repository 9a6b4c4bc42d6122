"""What a description of images says, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flip_sdk.contract import images as contract

_WHICH = {"largest": "the largest series", "all": "every series"}


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
