"""Tables of what Trusts publish of their holdings: persons, noisy and rounded, a column for each Trust that tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

from flip_sdk.contract.api import TrustCatalogue
from flip_sdk.contract.holdings import Holdings

if TYPE_CHECKING:
    from flip_sdk.frames import Frame

PERSONS = "persons"
"""Of all Trusts that tell, added up; a Trust's own column has its name behind."""
_TOLD = "noisy, rounded, and only where over the floor"


def columns_of(entries: Iterable[TrustCatalogue]) -> list[str]:
    """The columns of persons: none where no Trust tells numbers."""
    told = [entry.trust for entry in entries if entry.holdings is not None]
    return [PERSONS, *(_column(trust) for trust in told)] if told else []


def persons_by_concept(entries: Iterable[TrustCatalogue]) -> dict[int, dict[str, int]]:
    """By concept: persons by column of :func:`columns_of`."""
    return _by_key(entries, lambda held: ((row.concept_id, row.persons) for row in held.concepts))


def imaging_of(entries: Sequence[TrustCatalogue]) -> Frame:
    """One row a modality, and one for each of its body parts that is told of."""
    found = _by_key(entries, lambda held: (((row.modality, row.body_part), row.persons) for row in held.imaging))
    rows = [{"modality": key[0], "body_part": key[1] or "any", **numbers} for key, numbers in sorted(found.items())]
    return _table(entries, rows, {"modality": str, "body_part": str}, "Persons with images")


def years_of(entries: Sequence[TrustCatalogue]) -> Frame:
    """One row a table and calendar year."""
    found = _by_key(entries, lambda held: (((row.table, row.year), row.persons) for row in held.years))
    rows = [{"records": words(key[0]), "year": key[1], **numbers} for key, numbers in sorted(found.items())]
    return _table(entries, rows, {"records": str, "year": int}, "Persons with records, by calendar year")


def freshness_of(entries: Sequence[TrustCatalogue]) -> Frame:
    """One row a Trust and table: persons, the latest month that is told, and those seen in the last twelve months."""
    rows = [
        {"trust": entry.trust, "records": words(row.table), "persons": row.persons, "latest": row.latest}
        | {"last_12_months": row.recent, "as_of": entry.issued_at.date()}
        for entry, held in _told(entries)
        for row in held.tables
    ]
    kinds = {"trust": str, "records": str, "persons": int, "latest": str, "last_12_months": int, "as_of": date}
    return _frame(rows, kinds, f"How fresh the records are: persons {_TOLD}{silent(entries)}", ("persons",))


def quality_of(entries: Sequence[TrustCatalogue]) -> Frame:
    """One row a Trust and category: checks that are told of, and how many pass."""
    rows = []
    for entry, held in _told(entries):
        for category, found in groupby(sorted(held.quality, key=lambda row: row.category), lambda row: row.category):
            passed = [row.passed for row in found]
            rows.append({"trust": entry.trust, "category": category, "checks": len(passed), "passed": sum(passed)})
    kinds = {"trust": str, "category": str, "checks": int, "passed": int}
    unsure = ", ".join(entry.trust for entry, held in _told(entries) if not held.quality)
    note = f"; too noisy to tell at {unsure}" if unsure else ""
    return _frame(rows, kinds, f"Checks of the records, by persons{note}{silent(entries)}")


def checks_of(entries: Sequence[TrustCatalogue]) -> Frame:
    """One row a Trust and check: percent of rows that fail it, averaged over persons, and what the noise may hide."""
    rows = [
        {"trust": entry.trust, **row.model_dump(), "table": words(row.table), "passed": row.passed}
        for entry, held in _told(entries)
        for row in held.quality
    ]
    kinds: dict[str, Any] = {"trust": str, "category": str, "table": str, "check": str}
    kinds |= {"percent": float, "within": float, "allowed": float, "passed": bool}
    return _frame(rows, kinds, f"Percent of each person's rows that fail, on average{silent(entries)}", ("percent",))


def silent(entries: Iterable[TrustCatalogue]) -> str:
    """Which Trusts tell no numbers, as the end of a caption."""
    names = ", ".join(entry.trust for entry in entries if entry.holdings is None)
    return f". Not published by {names}" if names else ""


def words(table: str) -> str:
    """A table as people read it."""
    return {"condition_occurrence": "conditions", "image_occurrence": "images", "person": "persons"}.get(
        table, table.removesuffix("_exposure").removesuffix("_occurrence") + "s"
    )


def _told(entries: Iterable[TrustCatalogue]) -> list[tuple[TrustCatalogue, Holdings]]:
    return [(entry, entry.holdings) for entry in entries if entry.holdings is not None]


def _column(trust: str) -> str:
    return f"{PERSONS}_{trust}"


def _by_key(
    entries: Iterable[TrustCatalogue], numbers: Callable[[Holdings], Iterable[tuple[Any, int]]]
) -> dict[Any, dict[str, int]]:
    found: dict[Any, dict[str, int]] = {}
    for entry, held in _told(entries):
        for key, persons in numbers(held):
            row = found.setdefault(key, {})
            row[PERSONS] = row.get(PERSONS, 0) + persons
            row[_column(entry.trust)] = persons
    return found


def _table(
    entries: Sequence[TrustCatalogue], rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, Any], caption: str
) -> Frame:
    numbers = columns_of(entries) or [PERSONS]
    return _frame(rows, {**kinds, **dict.fromkeys(numbers, int)}, f"{caption}: {_TOLD}{silent(entries)}", (PERSONS,))


def _frame(
    rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, Any], caption: str, bars: Sequence[str] = ()
) -> Frame:

    from flip_sdk.frames import frame

    return frame(rows, kinds, caption, bars)
