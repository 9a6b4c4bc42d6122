"""Days since 1970, as the columns hold dates."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np

from flip_trust.cohort.resident.tables import Days

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
