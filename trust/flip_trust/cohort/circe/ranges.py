"""CIRCE's comparisons over whole columns. What is missing (nan) fits no range, as in SQL."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
from flip_sdk.contract.circe import CirceConcept, DateRange, NumericRange, WholeRange

from flip_trust.cohort.resident.dates import day
from flip_trust.cohort.resident.tables import Ints, Mask


def within(values: npt.NDArray[np.number], asked: NumericRange | WholeRange | DateRange) -> Mask:
    """Which values a range allows."""
    extent = None if asked.Extent is None else _number(asked.Extent)
    found = _compare(values, asked.Op.removeprefix("!"), _number(asked.Value), extent)
    return ~found & ~np.isnan(values) if asked.Op.startswith("!") else found


def among(values: Ints, concepts: tuple[CirceConcept, ...]) -> Mask:
    """Which values are one of these concepts."""
    return np.isin(values, [concept.CONCEPT_ID for concept in concepts])


def _number(edge: float | date) -> float:
    return day(edge) if isinstance(edge, date) else edge


def _compare(values: npt.NDArray[np.number], operator: str, value: float, extent: float | None) -> Mask:
    found: Mask
    match operator:
        case "lt":
            found = values < value
        case "lte":
            found = values <= value
        case "eq":
            found = values == value
        case "gt":
            found = values > value
        case "gte":
            found = values >= value
        case _:
            if extent is None:
                raise ValueError("a range between two values needs both")
            found = (values >= value) & (values <= extent)
    return found
