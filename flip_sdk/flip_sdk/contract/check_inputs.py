"""The rules about what a model is told and shown: part of :mod:`flip_sdk.contract.check`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from flip_sdk.contract.features import AgeFeature, AnyFeature, ClassLabel, EventFeature, Feature
from flip_sdk.contract.images import MOST_BETWEEN, MOST_VALUES, SeriesImages, TileImages, Volume
from flip_sdk.contract.jobs import EvaluateSpec, SufficientStatistics, TrainSpec
from flip_sdk.contract.violations import Violation

_SIZES = ("spatial_size", "roi_size", "pixdim")


def check_inputs(spec: TrainSpec | EvaluateSpec) -> list[Violation]:
    """What is wrong with features, images, label and index date."""
    if not spec.features and spec.images is None:
        message = "The model is told nothing: there are no features and no images."
        return [Violation(rule="no_inputs", where="features", message=message, mend="Give features, images or both.")]
    found = [*check_features(spec.features), *_index(spec)]
    if spec.images is not None:
        found += check_images(spec.images)
    if isinstance(spec, TrainSpec):
        found += _training(spec)
    return found


def check_features(features: tuple[AnyFeature, ...]) -> Iterator[Violation]:
    """Bounds that are empty, and features that are there twice."""
    for i, feature in enumerate(features):
        if not feature.low < feature.high:
            yield Violation(
                rule="empty_bounds",
                where=f"features[{i}]",
                message=f"low {feature.low} is not below high {feature.high}.",
                mend="Give public bounds of the measurement, low below high; the catalogue suggests some.",
            )
    for what, times in Counter(map(_what, features)).items():
        if times > 1:
            yield Violation(
                rule="repeated_feature",
                where="features",
                message=f"{what} is used {times} times.",
                mend="Use each feature once; the same concept may be there with another statistic or window.",
            )


def _what(feature: AnyFeature) -> str:
    match feature:
        case AgeFeature():
            return "age"
        case Feature():
            how = "" if feature.statistic == "latest" and feature.window is None else f", its {feature.statistic}"
            return f"concept {feature.concept_id}{how}{_when(feature)}"
        case EventFeature():
            return f"{feature.domain} {', '.join(map(str, feature.concept_ids))}, {feature.statistic}{_when(feature)}"
        case _:
            return f"sex {feature.concept_id}"


def _when(feature: Feature | EventFeature) -> str:
    window = feature.window
    return "" if window is None else f", days {window.start} to {window.end}"


def _index(spec: TrainSpec | EvaluateSpec) -> Iterator[Violation]:
    if spec.index == "entry" and spec.cohort.expression is None:
        yield Violation(
            rule="index_needs_entry",
            where="index",
            message="The index date is the day of entry, and the cohort has no expression that says what an entry is.",
            mend="Use flip.Cohort.entering(…) or an ATLAS expression, or index='now'.",
        )
    if spec.index == "image":
        if spec.images is None:
            yield Violation(
                rule="index_needs_images",
                where="index",
                message="The index date is the day of the image, and the job has no images.",
                mend="Give images, or another index.",
            )
        elif spec.images.window is not None or spec.images.which == "nearest":
            yield Violation(
                rule="window_of_images",
                where="images.window",
                message="Images cannot be chosen by a day that they themselves set.",
                mend="Leave window out and choose which='latest', 'first' or 'all'; or use another index.",
            )


def check_images(images: SeriesImages | TileImages) -> Iterator[Violation]:
    """Images that are too large, and transforms that do not fit them."""
    if images.values > MOST_VALUES:
        yield Violation(
            rule="images_too_large",
            where="images",
            message=f"One image has {images.values:,} numbers; {MOST_VALUES:,} are the most.",
            mend="Make it smaller.",
        )
    if isinstance(images, SeriesImages):
        yield from _series(images)


def _series(images: SeriesImages) -> Iterator[Violation]:
    dimensions = 3 if isinstance(images.form, Volume) else 2
    if len(images.size) != dimensions:
        yield Violation(
            rule="image_dimensions",
            where="images.size",
            message=f"The size has {len(images.size)} numbers, and images of the form {images.form.kind} {dimensions}.",
            mend="Give rows and columns; for volumes slices, rows and columns.",
        )
    if not images.low < images.high:
        yield Violation(
            rule="empty_bounds",
            where="images.low",
            message=f"low {images.low} is not below high {images.high}.",
            mend="Give the range of intensities that the transforms end with, such as 0 and 1.",
        )
    yield from _transforms(images, dimensions)


def _transforms(images: SeriesImages, dimensions: int) -> Iterator[Violation]:
    for i, transform in enumerate(images.transforms):
        made = math.prod(getattr(transform, "spatial_size", ()))
        if made > MOST_BETWEEN:
            yield Violation(
                rule="transform_too_large",
                where=f"images.transforms[{i}]",
                message=f"{transform.name} makes {made:,} numbers of an image; {MOST_BETWEEN:,} are the most.",
                mend="Make it smaller.",
            )
        given = next((getattr(transform, name) for name in _SIZES if hasattr(transform, name)), None)
        axes = [getattr(transform, "spatial_axis", 0), *getattr(transform, "spatial_axes", ())]
        wrong = given is not None and len(given) != dimensions
        if wrong or max(axes) >= dimensions or (transform.name == "Orientation" and dimensions == 2):
            yield Violation(
                rule="transform_dimensions",
                where=f"images.transforms[{i}]",
                message=f"{transform.name} does not fit images with {dimensions} dimensions.",
                mend=f"Give it {dimensions} numbers, and axes below {dimensions}; Orientation is for volumes.",
            )


def _training(spec: TrainSpec) -> Iterator[Violation]:
    if not spec.features and spec.privacy.scaling != "public_bounds":
        yield Violation(
            rule="scaling_needs_features",
            where="privacy.scaling",
            message="There are no features to scale: images are scaled by their own bounds.",
            mend="Set privacy.scaling to 'public_bounds'.",
        )
    if isinstance(spec.label, ClassLabel) and spec.loss != "cross_entropy":
        yield Violation(
            rule="loss_of_classes",
            where="loss",
            message=f"A label of {spec.label.classes} classes is learnt with the loss cross_entropy.",
            mend="Set loss='cross_entropy', and let the model answer one number a class.",
        )
    if spec.images is not None and isinstance(spec.privacy.mechanism, SufficientStatistics):
        yield Violation(
            rule="mechanism_needs_features",
            where="privacy.mechanism",
            message="Sufficient statistics are of features, not of images.",
            mend="Use full_batch or dp_sgd.",
        )
