"""How many events of a criterion lie in a window around each index event.

Events are sorted by person and day, so the events of a person between two days are found by two searches. Only what
such a search cannot see (ends, visits, different values) is looked at event by event, in portions of bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flip_sdk.contract.circe import CorrelatedCriterion, Window, WindowEnd

from flip_trust.cohort.circe.events import Events, Index
from flip_trust.cohort.resident.columns import key_of
from flip_trust.cohort.resident.tables import Days, Ints, Mask, Rows

_FAR = 1_000_000_000
"""Further than any day."""
MOST_PAIRS = 4_000_000
"""Pairs of an index event and an event that are looked at together."""

Bounds = tuple[Ints, Ints]


def counts(index: Index, events: Events, asked: CorrelatedCriterion) -> Ints:
    """For each index event, the events (or different values) that the criterion's windows hold."""
    starts, ends = _bounds(index, asked)
    place = index.place
    low = np.searchsorted(events.keys, key_of(place, starts[0]), side="left")
    high = np.searchsorted(events.keys, key_of(place, starts[1]), side="right")
    found = np.where(starts[0] <= starts[1], np.maximum(high - low, 0), 0)
    if ends is None and not asked.RestrictVisit and not asked.Occurrence.IsDistinct:
        return found
    total = np.zeros(len(index), dtype=np.int64)
    values = _values(events, asked) if asked.Occurrence.IsDistinct else None
    for rows in _portions(found):
        pair, event = _pairs(rows, low, found)
        kept = _fits(index, events, pair, event, ends, restrict=asked.RestrictVisit)
        total += _tally(pair[kept], None if values is None else values[event[kept]], len(index))
    return total


def _bounds(index: Index, asked: CorrelatedCriterion) -> tuple[Bounds, Bounds | None]:
    """Between which days events have to start, and to end; None where their ends do not matter."""
    inside = not asked.IgnoreObservationPeriod
    far = np.full(len(index), _FAR, dtype=np.int64)
    starts = (index.op_start.astype(np.int64), index.op_end.astype(np.int64)) if inside else (-far, far)
    ends: Bounds | None = None
    windows: list[tuple[Window, bool]] = [(asked.StartWindow, bool(asked.StartWindow.UseEventEnd))]
    if asked.EndWindow is not None:
        windows.append((asked.EndWindow, asked.EndWindow.UseEventEnd is not False))
    for window, about_end in windows:
        around = index.day(end=bool(window.UseIndexEnd))
        given = _edge(index, window.Start, around, -far, inside), _edge(index, window.End, around, far, inside)
        if about_end:
            ends = given if ends is None else _both(ends, given)
        else:
            starts = _both(starts, given)
    return starts, ends


def _edge(index: Index, edge: WindowEnd, around: Days, far: Ints, inside: bool) -> Ints:
    if edge.Days is not None:
        return around.astype(np.int64) + edge.Coeff * edge.Days
    if inside:
        return (index.op_start if edge.Coeff == -1 else index.op_end).astype(np.int64)
    return far


def _both(one: Bounds, other: Bounds) -> Bounds:
    return np.maximum(one[0], other[0]), np.minimum(one[1], other[1])


def _portions(found: Ints) -> Iterator[Rows]:
    """Index events with anything to look at, in portions of about as many pairs as are looked at together."""
    rows = np.flatnonzero(found)
    if len(rows):
        portion = np.cumsum(found[rows]) // MOST_PAIRS
        yield from np.split(rows, np.flatnonzero(np.diff(portion)) + 1)


def _pairs(rows: Rows, low: Rows, found: Ints) -> tuple[Rows, Rows]:
    sizes = found[rows]
    pair = np.repeat(rows, sizes)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return pair, low[pair] + within


def _fits(index: Index, events: Events, pair: Rows, event: Rows, ends: Bounds | None, *, restrict: bool) -> Mask:
    kept = np.ones(len(pair), dtype=bool)
    if ends is not None:
        ended = events.end[event]
        kept &= (ends[0][pair] <= ended) & (ended <= ends[1][pair])
    if restrict:
        if index.visit is None:
            raise ValueError("the visits of these events were not read")
        visit = index.visit[pair]
        kept &= (visit >= 0) & (visit == events.visit[event])
    return kept


def _values(events: Events, asked: CorrelatedCriterion) -> Ints:
    """A small number for each different value that is counted."""
    counted = events.start if asked.Occurrence.CountColumn == "START_DATE" else events.concept
    return np.unique(counted, return_inverse=True)[1].astype(np.int64)


def _tally(pair: Rows, values: Ints | None, size: int) -> Ints:
    if values is not None and len(pair):
        width = int(values.max()) + 1
        pair = np.unique(pair * width + values) // width
    return np.bincount(pair, minlength=size)
