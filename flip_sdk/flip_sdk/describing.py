"""A cohort's description: what is asked when nothing is said, and the answer in the order that people read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flip_sdk.categories import Grouping, by_age, by_condition, by_sex

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue, Concept
    from flip_sdk.cohorts import ConceptLike
    from flip_sdk.frames import Frame

AGES = (18, 30, 40, 50, 60, 70, 80)
MOST_CONDITIONS = 6
"""Described where none is named: each of them makes every figure noisier."""
_ORDER = {"total": 0, "age": 1, "sex": 2, "condition": 3}


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
    import polars as pl

    from flip_sdk.frames import Frame

    trusts = {trust: place for place, trust in enumerate(dict.fromkeys(answer["trust"]))}
    totals = answer.filter(pl.col("group") == "total").select("trust", pl.col("persons").alias("of"))
    rows = answer.join(totals, on="trust", how="left", maintain_order="left")
    order = (
        pl.col("trust").replace_strict(trusts, return_dtype=pl.Int64),
        pl.col("group").replace_strict(_ORDER, default=0, return_dtype=pl.Int64),
        pl.when(pl.col("group") == "condition").then(-pl.col("persons")),
    )
    rows = rows.sort(order, nulls_last=True, maintain_order=True).with_columns(
        pl.when(pl.col("of") > 0).then((pl.col("persons") / pl.col("of")).clip(0, 1)).alias("share"),
        pl.when(pl.col("group") == "total").then(pl.lit("persons")).otherwise("level").alias("level"),
        pl.col("group").replace({"total": "all"}),
    )
    made = Frame(rows.select("trust", "group", "level", "persons", "share", "standard_error", "low", "high", "note"))
    made.caption = answer.caption
    return made


def _held(catalogue: Catalogue, domain: str) -> list[Concept]:
    """Of a domain, what most Trusts hold first, and of that what most persons have, where Trusts tell it."""
    return sorted((c for c in catalogue if c.domain == domain), key=lambda c: (-len(c.trusts), -(c.persons or 0)))
