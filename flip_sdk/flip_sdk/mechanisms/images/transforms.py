"""The allow-list as MONAI's own array transforms: names and arguments are MONAI's, so there is little to translate.

MONAI is imported when a pipeline is first made: it takes seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from flip_sdk.contract.images import AnyTransform

Made = Callable[[Any], Any]
_LABELS: Final = (("L", "R"), ("P", "A"), ("I", "S"))


def made(transforms: Sequence[AnyTransform], dimensions: int) -> list[Made]:
    """MONAI's transforms for these records, in their order.

    Args:
        transforms: as the job declares them.
        dimensions: of the image, channels not counted: 2 or 3.
    """
    with warnings.catch_warnings(action="ignore"):
        return [_made(transform, dimensions) for transform in transforms]


def _made(transform: AnyTransform, dimensions: int) -> Made:
    from monai import transforms as monai

    arguments = transform.model_dump(exclude={"name"})
    change = _CHANGES.get(transform.name)
    if change is not None:
        arguments = change(arguments, dimensions)
    instance: Made = getattr(monai, transform.name)(**arguments)
    return instance


def _orientation(arguments: dict[str, Any], _: int) -> dict[str, Any]:
    return {**arguments, "labels": _LABELS}


def _resize(arguments: dict[str, Any], dimensions: int) -> dict[str, Any]:
    """torch calls it trilinear where there are three axes."""
    linear = arguments["mode"] == "bilinear" and dimensions == 3
    return {**arguments, "mode": "trilinear"} if linear else arguments


def _crop_foreground(arguments: dict[str, Any], _: int) -> dict[str, Any]:
    threshold, margin = arguments["threshold"], arguments["margin"]
    return {"select_fn": partial(_foreground, threshold), "margin": margin, "allow_smaller": True}


def _foreground(threshold: float, image: Any) -> Any:
    """Where nothing is above the threshold, the whole image: an empty one could not be resampled."""
    found = image > threshold
    return found if found.any() else ~found


_CHANGES: Final[Mapping[str, Callable[[dict[str, Any], int], dict[str, Any]]]] = {
    "Orientation": _orientation,
    "Resize": _resize,
    "CropForeground": _crop_foreground,
}
