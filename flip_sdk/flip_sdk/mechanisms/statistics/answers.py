"""From the noisy releases of a question to its answer: by Trust in the order of their names, then ``all``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from flip_sdk.contract.statistics import (
    CrossTable,
    Description,
    Estimate,
    Histogram,
    KaplanMeier,
    Mean,
    Quantiles,
    Table,
    tables_of,
)
from flip_sdk.mechanisms.aggregate.figures import noise_variance
from flip_sdk.mechanisms.statistics.columns import Floats
from flip_sdk.mechanisms.statistics.means import means
from flip_sdk.mechanisms.statistics.quantiles import quantiles
from flip_sdk.mechanisms.statistics.release import CELLS, release_of
from flip_sdk.mechanisms.statistics.survival import survival
from flip_sdk.mechanisms.statistics.tables import description, table

ALL = "all"
Released = Mapping[str, Mapping[str, Floats]]


def of_cells(question: Table, released: Released, epsilon: float) -> tuple[Estimate, ...]:
    """The answer to a table, histogram, quantiles or curve; together it is that of the cells added up.

    Args:
        question: what was asked.
        released: noisy ``cells``, by Trust.
        epsilon: of each release.
    """
    variance = noise_variance(epsilon / tables_of(question))
    found: list[Estimate] = []
    for trust, releases, sums in _with_all(released):
        found += _cells(question, trust, sums[CELLS], variance * releases)
    return tuple(found)


def of_means(question: Mean, released: Released, noise_multiplier: float) -> tuple[Estimate, ...]:
    """The answer to means; together it is that of the sums added up.

    Args:
        question: what was asked.
        released: noisy sums, by Trust.
        noise_multiplier: of each release.
    """
    deviation = release_of(question).deviation("sums", noise_multiplier)
    found: list[Estimate] = []
    for trust, releases, sums in _with_all(released):
        found += means(question, trust, sums, deviation * math.sqrt(releases))
    return tuple(found)


def _cells(question: Table, trust: str, cells: Floats, variance: float) -> Iterator[Estimate]:
    match question:
        case CrossTable() | Histogram():
            return table(question, trust, cells, variance)
        case Description():
            return description(question, trust, cells, variance)
        case Quantiles():
            return quantiles(question, trust, cells, variance)
        case KaplanMeier():
            return survival(question, trust, cells, variance)


def _with_all(released: Released) -> Iterator[tuple[str, int, Mapping[str, Floats]]]:
    """Each Trust's numbers, and all Trusts' added up: name, number of releases, numbers."""
    for trust in sorted(released):
        yield trust, 1, released[trust]
    if released:
        names = next(iter(released.values()))
        total = {name: np.sum([sums[name] for sums in released.values()], axis=0) for name in names}
        yield ALL, len(released), total
