"""Categories that are ranges: whose edges differ a little between two tables, who is between them is told apart."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping

_BETWEEN = re.compile(r"(\d+(?:\.\d+)?)\s*(?:-|–|to|up to|until)\s*(\d+(?:\.\d+)?)(?: years?)?")
_AS_WRITTEN = re.compile(r"(-?[\d.]+|-inf) up to ([\d.]+|inf) excluded")
_UNDER = re.compile(r"(?:under|below|less than|up to|<)\s*(\d+(?:\.\d+)?)(?: years?)?")
_OVER = re.compile(
    r"(?:over|≥|>=|from|at least)?\s*(\d+(?:\.\d+)?)\s*(?:\+|plus|and (?:over|above|older|more))?(?: years?)?"
)


def band(label: str) -> tuple[float, float] | None:
    """Where a range of whole numbers begins and ends, the end excluded; None for anything else."""
    words = label.strip().lower()
    if (match := _BETWEEN.fullmatch(words)) and float(match[1]) <= float(match[2]):
        return float(match[1]), float(match[2]) + 1
    if match := _AS_WRITTEN.fullmatch(words):
        return float(match[1]), float(match[2])
    if match := _UNDER.fullmatch(words):
        return -math.inf, float(match[1])
    if (match := _OVER.fullmatch(words)) and words != match[1]:
        return float(match[1]), math.inf
    return None


def as_written(label: str) -> str | None:
    """A range in one form, however it was written; None for anything else."""
    edges = band(label)
    return None if edges is None else f"{edges[0]:g} up to {edges[1]:g} excluded"


def below_edges(counts: Mapping[str, float]) -> dict[float, float]:
    """Persons below each edge of adjoining ranges; empty where they do not adjoin or are no ranges.

    Args:
        counts: persons by range.
    """
    read = [(band(label), number) for label, number in counts.items()]
    bands = sorted((edges, number) for edges, number in read if edges is not None)
    if len(bands) < 2 or len(bands) < len(read):
        return {}
    if any(left[0][1] != right[0][0] for left, right in itertools.pairwise(bands)):
        return {}
    below, persons = {}, 0.0
    for (_, end), number in bands[:-1]:
        persons += number
        below[end] = persons
    return below


def close_edges(
    one: Mapping[str, float], other: Mapping[str, float], threshold: int
) -> Iterator[tuple[float, float, float]]:
    """Edges of two divisions of the same persons with too few between them: both edges, and how many."""
    for edge, below in below_edges(one).items():
        for edge_there, below_there in below_edges(other).items():
            if edge != edge_there and 1 <= abs(below - below_there) < threshold:
                yield edge, edge_there, abs(below - below_there)
