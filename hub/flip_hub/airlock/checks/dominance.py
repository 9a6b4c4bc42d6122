"""Totals that one or two contributors make up, where what each contributed is given: acro's rules, on our limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.counting import Counted, counts_persons, spoken
from flip_hub.airlock.checks.limits import Limits
from flip_hub.airlock.checks.rules import Check, Rule, Subject, many

DOMINATED = Rule(
    "table.dominated",
    "flag",
    "In {cells_}, {dominant} contributors make up {share:.0%} or more of the value, or all others together less than "
    "{p:.0%} of the largest: whoever is one of the largest can reckon another's.",
    "Join groups, or keep these cells back.",
)
NEGATIVE = Rule(
    "table.dominance_unknown",
    "flag",
    "Contributions to {cells_} are negative, so it cannot be said whether one of them dominates.",
    "Say in the context what the values are.",
)
Group = tuple[str, ...]


def _dominance(subject: Subject) -> Iterator[Finding]:
    found = _contributions(subject)
    if found is None:
        return
    rows, column, groups = found
    limits = subject.limits
    places = {group: [(row, column) for row in rows if rows[row] == group] for group in groups}
    negative = [group for group, values in groups.items() if min(values) < 0]
    if negative:
        cells = [cell for group in negative for cell in places[group]]
        yield NEGATIVE.found(cells=cells, cells_=many(len(cells), "cell"))
    kept = {group: values for group, values in groups.items() if group not in negative}
    cells = [cell for group in dominated(kept, limits) for cell in places[group]]
    if cells:
        yield DOMINATED.found(
            cells=cells,
            numbers={"cells": len(cells), "share": limits.dominant_share, "p": limits.p_ratio},
            cells_=many(len(cells), "cell"),
            dominant=limits.dominant,
            share=limits.dominant_share,
            p=limits.p_ratio,
        )


def _contributions(subject: Subject) -> tuple[dict[int, Group], int, dict[Group, list[float]]] | None:
    """Groups of this table's rows, the column of the value, and what each contributed, from the underlying table.

    It has a column called like one of this table's measures, and several rows for a group.
    """
    table, underlying = subject.file.table, subject.underlying
    if table is None or underlying is None or underlying.table is None:
        return None
    counted, behind = subject.counted, Counted.of(underlying.table, underlying.statement)
    headers = {spoken(name): place for place, name in enumerate(behind.table.columns)}
    measured = [
        c
        for c in table.numeric
        if spoken(table.columns[c]) in headers and c not in counted.dimensions and not counts_persons(table.columns[c])
    ]
    shared = sorted(counted.names & behind.names)
    if not measured or not shared:
        return None
    value = headers[spoken(table.columns[measured[0]])]
    groups: dict[Group, list[float]] = defaultdict(list)
    for row, cells in enumerate(behind.table.cells):
        if (number := cells[value].number) is not None:
            groups[_key(behind, row, shared)].append(number)
    if max((len(values) for values in groups.values()), default=0) < 2:
        return None
    return {row: _key(counted, row, shared) for row in range(len(table.rows))}, measured[0], dict(groups)


def _key(counted: Counted, row: int, shared: list[str]) -> Group:
    group = counted.group(row)
    return tuple(group[name] for name in shared)


def dominated(groups: dict[Group, list[float]], limits: Limits) -> list[Group]:
    """Groups whose largest contributors dominate, by the nk rule or the p% rule as acro checks them."""
    if not groups:
        return []
    import pandas as pd
    from acro.sdcchecks import SDCChecks, SDCEvidence

    names = list(groups)
    ordered = [sorted(groups[name], reverse=True) for name in names]
    figures = {
        "num_negative": [0.0] * len(names),
        "sum": [sum(values) for values in ordered],
        "max": [values[0] for values in ordered],
        "top_2_sum": [sum(values[:2]) for values in ordered],
        "top_n_sum": [sum(values[: limits.dominant]) for values in ordered],
    }
    tables = {name: pd.DataFrame({"value": numbers}) for name, numbers in figures.items()}
    appetite = {"safe_nk_k": limits.dominant_share, "safe_pratio_p": limits.p_ratio}
    checks, evidence = SDCChecks(appetite), SDCEvidence(interim_tables=tables)
    nk = checks.check_nk_dominance("table", evidence, None)[2]["value"]
    p = checks.check_ppercent_dominance("table", evidence, None)[2]["value"]
    return [name for name, one, other in zip(names, nk, p, strict=True) if one or other]


CHECKS = (
    Check(
        "dominance",
        frozenset({"table"}),
        _dominance,
        "Sums and means that one or two contributors make up (nk and p% rule), where the underlying file gives what "
        "each contributed.",
        needs=("acro", "pandas"),
    ),
)
