"""What a model was told, shown and tells: in words, and on made-up people's images as it sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.features import ClassLabel
from flip_sdk.contract.images import SeriesImages, Stack
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.pictures import Picture, canvas, picture
from flip_sdk.dashboards.words import Words
from flip_sdk.errors import PublicError
from flip_sdk.image_words import words_of

Pixels = npt.NDArray[Any]
_NAMED = 5
_SEED = 5


def inputs(results: Results) -> Words:
    """What the last model on the page is told and shown, and what it tells."""
    spec = _spec(results)
    if spec is None:
        return Words("No job with a model is among the published results.")
    told = []
    if spec.features:
        named = [feature.name or feature.kind for feature in spec.features]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        told.append(f"Numbers of a person: {', '.join(named[:_NAMED])}{more}.")
    if spec.images is not None:
        told.append(f"{words_of(spec.images)}. These are the same steps at every Trust, whatever its scanner.")
    return Words(*told, _told_apart(spec))


def examples(results: Results) -> Picture | Words:
    """Made-up people's images, as the last model on the page is shown them: nobody's image is on the page."""
    spec = _spec(results)
    if spec is None or not isinstance(spec.images, SeriesImages) or spec.images.modality != "CT":
        return Words()
    try:
        return _drawn(spec.images)
    except PublicError as error:
        return Words(f"Examples cannot be shown here. {error}")


def _spec(results: Results) -> TrainSpec | EvaluateSpec | None:
    specs = [r.spec for r in (*results.of("evaluate"), *results.of("train"))]
    return next((spec for spec in reversed(specs) if isinstance(spec, TrainSpec | EvaluateSpec)), None)


def _told_apart(spec: TrainSpec | EvaluateSpec) -> str:
    if isinstance(spec.label, ClassLabel):
        return f"It tells apart: {', '.join(spec.label.class_names)}."
    return f"It tells whether somebody has: {spec.label.name or 'the label'}."


def _drawn(asked: SeriesImages) -> Picture:
    from flip_sdk.previewing import preview_series
    from flip_sdk.simulate.phantoms import Scanner, chest, scan

    scanner = Scanner()
    steps = (scanner.thickness, scanner.step, scanner.step)
    figure, axes = canvas(1, 2, 6.0, 3.4)
    for axis, ill in zip(axes, (False, True), strict=True):
        person = chest(np.random.default_rng(_SEED), lesion=ill)
        made = preview_series(asked, scan(person, scanner, np.random.default_rng(_SEED)), steps)
        axis.imshow(_middle(asked, made[len(made) // 2]), cmap="gray", vmin=-1, vmax=1)
        axis.set_title("made up, with a mass in a lung" if ill else "made up, without a mass", fontsize=11)
        axis.set_axis_off()
    alt = "Two made-up chests as the model is shown them: one without and one with a mass in a lung."
    caption = "Made-up people, after the steps above. No patient's image is on this page, and none left its Trust."
    return picture(figure, alt, caption)


def _middle(asked: SeriesImages, image: Pixels) -> Pixels:
    """One layer of an image: the middle channel, and of a volume its middle slice."""
    layer: Pixels = image[len(image) // 2 if isinstance(asked.form, Stack) else 0]
    shown: Pixels = layer[len(layer) // 2] if layer.ndim == 3 else layer
    return shown.astype("float32")
