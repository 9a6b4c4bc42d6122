"""Means and standard deviations out of noisy sums, by the delta method."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from flip_sdk.contract.features import Feature
from flip_sdk.contract.statistics import Estimate, Mean
from flip_sdk.mechanisms.statistics.columns import Floats
from flip_sdk.mechanisms.statistics.intervals import LARGE, interval, undetermined


def means(question: Mean, trust: str, sums: Mapping[str, Floats], deviation: float) -> Iterator[Estimate]:
    """For each measurement: how many persons have it, its mean and its standard deviation.

    Args:
        question: what was asked.
        trust: of which Trust, or ``all``.
        sums: noisy ``counts``, ``sums`` and ``squares``.
        deviation: of the noise of each number.
    """
    columns = zip(question.measurements, sums["counts"], sums["sums"], sums["squares"], strict=True)
    for feature, count, first, second in columns:
        of = (name_of(feature),)
        yield interval(trust, "persons", float(count), deviation, bounds=(0.0, math.inf), of=of)
        if count <= LARGE * deviation or count < 2:
            yield from (undetermined(trust, quantity, of=of) for quantity in ("mean", "standard_deviation"))
            continue
        yield from _moments(trust, feature, float(count), float(first), float(second), deviation)


def name_of(feature: Feature) -> str:
    """What a measurement is called in an answer."""
    return feature.name or f"measurement {feature.concept_id}"


def _moments(
    trust: str, feature: Feature, count: float, first: float, second: float, deviation: float
) -> Iterator[Estimate]:
    """In units of [-1, 1]: mean m, variance v = (Σ(x² - ½) / n + ½) - m²."""
    half, middle, of = (feature.high - feature.low) / 2, (feature.high + feature.low) / 2, (name_of(feature),)
    m = first / count
    square = second / count
    v = square + 0.5 - m**2
    noise = (deviation / count) ** 2
    # by noise: derivatives after squares, sums and counts; by chance: as for a normal distribution
    error_of_v = math.sqrt(noise * (1 + 4 * m**2 + (square - 2 * m**2) ** 2) + 2 * max(v, 0.0) ** 2 / count)
    # a variance that noise has brought under its own error is not better known than that
    error_of_m = math.sqrt(max(v, error_of_v) / count + noise * (1 + m**2))
    yield interval(trust, "mean", middle + half * m, half * error_of_m, bounds=(feature.low, feature.high), of=of)
    if v <= error_of_v / 2:
        yield undetermined(trust, "standard_deviation", of=of)
        return
    deviation_of_x = math.sqrt(v)
    error = half * error_of_v / (2 * deviation_of_x)
    yield interval(trust, "standard_deviation", half * deviation_of_x, error, bounds=(0.0, half), of=of)
