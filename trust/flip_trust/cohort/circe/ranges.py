"""CIRCE's comparisons over whole columns. What is missing (nan) fits no range, as in SQL."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
from flip_sdk.contract.circe import CirceConcept, DateRange, NumericRange, WholeRange

from flip_trust.cohort.resident.tables import Days, Ints, Mask

_EPOCH: Final = date(1970, 1, 1).toordinal()
_TABLE_FROM, _TABLE_TO = date(1800, 1, 1).toordinal() - _EPOCH, date(2200, 1, 1).toordinal() - _EPOCH
_YEARS: Final = np.arange(_TABLE_FROM, _TABLE_TO).astype("M8[D]").astype("M8[Y]").astype(np.int32) + 1970


def day(value: date) -> int:
    """Days since 1970."""
    return value.toordinal() - _EPOCH


def years(days: Days) -> Days:
    """The calendar year of each day since 1970."""
    if len(days) and days.min() >= _TABLE_FROM and days.max() < _TABLE_TO:
        found: Days = _YEARS[days - _TABLE_FROM]
        return found
    return days.astype("M8[D]").astype("M8[Y]").astype(np.int32) + 1970


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
