"""A cohort's description: what is asked when nothing is said, and the answer in the order that people read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flip_sdk.categories import Grouping, by_age, by_condition, by_sex

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue, Concept
    from flip_sdk.cohorts import ConceptLike
    from flip_sdk.frames import Frame

AGES = (18, 30, 40, 50, 60, 70, 80)
MOST_CONDITIONS = 6
"""Described where none is named: each of them makes every figure noisier."""
_ORDER = {"total": 0, "age": 1, "sex": 2, "condition": 3}
_COLUMNS = ("trust", "group", "level", "persons", "share", "standard_error", "low", "high", "note")


def groupings(
    catalogue: Callable[[], Catalogue],
    ages: Sequence[int],
    sexes: Sequence[ConceptLike] | None,
    conditions: Sequence[ConceptLike] | None,
) -> list[Grouping]:
    """What persons are grouped by; the catalogue is asked for only where something is left out."""
    if sexes is None:
        sexes = _held(catalogue(), "Gender")
    if conditions is None:
        conditions = _held(catalogue(), "Condition")[:MOST_CONDITIONS]
    found = [by_age(*ages)] if ages else []
    found += [by_sex(*sexes)] if sexes else []
    return found + [by_condition(one) for one in conditions]


def described(answer: Frame) -> Frame:
    """The answer with a share of the cohort, conditions by how many persons have them; Trusts as they came."""
    from flip_sdk.frames import frame

    rows: list[dict[str, Any]] = answer.rows(named=True)
    totals = {row["trust"]: row["persons"] for row in rows if row["group"] == "total"}
    trusts = {trust: place for place, trust in enumerate(dict.fromkeys(answer.values("trust")))}

    def order(row: dict[str, Any]) -> tuple[int, int, float]:
        persons = row["persons"] if row["persons"] is not None else -math.inf
        by_number = -persons if row["group"] == "condition" else 0.0
        return trusts[row["trust"]], _ORDER.get(row["group"], 0), by_number

    told = [_told(row, totals.get(row["trust"])) for row in sorted(rows, key=order)]
    kinds = {name: answer.kinds.get(name, float) for name in _COLUMNS}
    return frame(told, kinds, answer.caption)


def _told(row: dict[str, Any], of: float | None) -> dict[str, Any]:
    persons, total = row["persons"], row["group"] == "total"
    share = None if persons is None or not of or of <= 0 else min(max(persons / of, 0.0), 1.0)
    return row | {"share": share} | ({"group": "all", "level": "persons"} if total else {})


def _held(catalogue: Catalogue, domain: str) -> list[Concept]:
    """Of a domain, what most Trusts hold first, and of that what most persons have, where Trusts tell it."""
    return sorted((c for c in catalogue if c.domain == domain), key=lambda c: (-len(c.trusts), -(c.persons or 0)))
