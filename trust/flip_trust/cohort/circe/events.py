"""Events of a criterion, and the index events that other criteria are counted around."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from flip_trust.cohort.resident import Columns, Periods
from flip_trust.cohort.resident.columns import day_of, key_of, place_of
from flip_trust.cohort.resident.tables import NO_CONCEPT, Days, Ints, Mask, Rows


class _Dated:
    """Something of persons on days."""

    keys: Ints

    @property
    def place(self) -> Rows:
        """The person of each."""
        return place_of(self.keys)

    @property
    def start(self) -> Days:
        """The day of each."""
        return day_of(self.keys)


@dataclass(frozen=True)
class Events(_Dated):
    """Some events of one table, by person and date.

    Attributes:
        columns: the table.
        rows: which of its events.
        keys: person and day of each; not the table's own where the expression gave other dates.
        ended: the ends, where the expression gave other dates.
    """

    columns: Columns = field(repr=False)
    rows: Rows
    keys: Ints = field(repr=False)
    ended: Days | None = field(default=None, repr=False)

    @property
    def end(self) -> Days:
        """The last day of each."""
        return self.columns.ends(self.rows) if self.ended is None else self.ended

    @property
    def concept(self) -> Ints:
        """The concept of each."""
        return self.columns.concept_at(self.rows)

    @property
    def visit(self) -> Ints:
        """The visit of each; -1 where there is none."""
        column = "visit_occurrence_id"
        if not self.columns.domain.visits or column not in self.columns.table.columns():
            return np.full(len(self.rows), NO_CONCEPT)
        return self.columns.ids(column, self.rows)

    @property
    def order(self) -> npt.NDArray[np.uint32]:
        """Breaks ties between events of one day."""
        return self.columns.order[self.rows]

    def where(self, mask: Mask) -> Events:
        """Those for which the mask is true."""
        ended = None if self.ended is None else self.ended[mask]
        return replace(self, rows=self.rows[mask], keys=self.keys[mask], ended=ended)


@dataclass(frozen=True)
class Index(_Dated):
    """Index events, each within one observation period, by person and date.

    Attributes:
        keys: person and day.
        order: breaks ties.
        end, visit: None where the expression never asks for them.
        op_start, op_end: the observation period.
    """

    keys: Ints
    order: npt.NDArray[np.uint32] = field(repr=False)
    op_start: Days = field(repr=False)
    op_end: Days = field(repr=False)
    end: Days | None = field(repr=False)
    visit: Ints | None = field(repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def day(self, *, end: bool) -> Days:
        """The first or the last day of each."""
        if not end:
            return self.start
        if self.end is None:
            raise ValueError("the ends of these events were not read")
        return self.end

    def where(self, chosen: Mask | Rows) -> Index:
        """Those chosen by a mask or by their numbers."""
        return Index(
            self.keys[chosen],
            self.order[chosen],
            self.op_start[chosen],
            self.op_end[chosen],
            None if self.end is None else self.end[chosen],
            None if self.visit is None else self.visit[chosen],
        )


def observed(periods: Periods, place: Rows, day: Days) -> tuple[Rows, Rows]:
    """Pairs of an event and the observation period that its day is in; several where periods overlap."""
    low, high = periods.first[place], periods.first[place + 1]
    if periods.single:
        event = np.flatnonzero(high > low)
        period = low[event]
    else:
        event = np.repeat(np.arange(len(place)), high - low)
        period = np.arange(len(event)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + low[event]
    inside = (periods.start[period] <= day[event]) & (day[event] <= periods.end[period])
    return event[inside], period[inside]


def indexed(found: list[Events], periods: Periods, *, ends: bool, visits: bool) -> tuple[Index, Rows]:
    """Events of all these as index events, and which of the events, one after the other, each of them is."""
    keys = np.concatenate([events.keys for events in found])
    sorting = np.argsort(keys, kind="stable") if len(found) > 1 else np.arange(len(keys))
    keys = keys[sorting]
    event, period = observed(periods, place_of(keys), day_of(keys))
    origin = sorting[event]
    return (
        Index(
            keys[event],
            np.concatenate([events.order for events in found])[origin],
            periods.start[period],
            periods.end[period],
            np.concatenate([events.end for events in found])[origin] if ends else None,
            np.concatenate([events.visit for events in found])[origin] if visits else None,
        ),
        origin,
    )


def with_dates(events: Events, start: int | None, end: int | None) -> Events:
    """The same events with other dates, in the order of the new ones."""
    started = events.start if start is None else np.full(len(events.rows), start, dtype=np.int32)
    ended = events.end if end is None else np.full(len(events.rows), end, dtype=np.int32)
    keys = key_of(events.place, started)
    sorting = np.argsort(keys, kind="stable")
    return Events(events.columns, events.rows[sorting], keys[sorting], ended[sorting])
