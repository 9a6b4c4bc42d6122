from __future__ import annotations

import pytest
from flip_sdk.contract.airlock import CellMark

from tests.hub.airlock.checks.conftest import Checking, found, notes, rules

SAFE = "sex,persons\nwomen,120\nmen,95\n"


def test_a_rounded_table_of_large_counts_passes(check: Checking) -> None:
    examined = check({"a.csv": SAFE})["a.csv"]

    assert (examined.kind, examined.verdict, rules(examined)) == ("table", "pass", set())


def test_small_counts_are_marked_where_they_are(check: Checking) -> None:
    examined = check({"a.csv": "sex,persons\nwomen,120\nmen,5\nother,0\n"})["a.csv"]

    (small,) = (f for f in examined.findings if f.rule == "table.small_count")
    assert small.cells == (CellMark(row=1, column=1), CellMark(row=2, column=1))
    assert small.numbers == {"cells": 2, "least": 0, "threshold": 10}
    assert examined.verdict == "flag"


def test_suppressed_cells_are_no_counts(check: Checking) -> None:
    assert "table.small_count" not in rules(check({"a.csv": "sex,persons\nwomen,120\nmen,*\nx,<10\n"})["a.csv"])


def test_exact_counts_are_flagged_where_the_preset_rounds(check: Checking, past) -> None:
    exact = {"a.csv": SAFE.replace("95", "97")}
    unrounded = past.model_copy(update={"limits": past.limits.model_copy(update={"round_to": 1})})

    assert rules(check(exact)["a.csv"]) == {"table.unrounded"}
    assert rules(check(exact, past=unrounded)["a.csv"]) == set()


def test_years_and_measures_are_no_counts_but_their_neighbours_are(check: Checking) -> None:
    table = "year,mean_age,persons\n2021,63.5,120\n2022,61,8\n"
    (small,) = (f for f in check({"a.csv": table})["a.csv"].findings if f.rule == "table.small_count")

    assert small.cells == (CellMark(row=1, column=2),)


def test_a_column_that_is_called_year_and_holds_none_is_counted(check: Checking) -> None:
    assert "table.small_count" in rules(check({"a.csv": "sex,year\nwomen,3\nmen,3\n"})["a.csv"])


def test_counts_with_their_shares_are_read(check: Checking) -> None:
    assert "table.small_count" in rules(check({"a.csv": 'sex,n (%)\nwomen,"120 (97%)"\nmen,4 (3%)\n'})["a.csv"])


def test_the_statement_says_which_columns_are_counts(check: Checking) -> None:
    table = {"a.csv": "sex,persons,stage\nwomen,120,3\nmen,95,4\n"}

    said = check(table, {"a.csv": {"counts": ("persons",)}})["a.csv"]
    assert (rules(said), "table.not_counted" in notes(said)) == (set(), True)
    assert rules(check(table, {"a.csv": {"counts": ("people",)}})["a.csv"]) == {"table.unknown_column"}
    assert "table.odd_counts" in rules(check(table, {"a.csv": {"counts": ("persons", "sex")}})["a.csv"])


@pytest.mark.parametrize("said", [{"counts": ("persons",)}, {"variables": ("deaths", "sex")}])
def test_what_is_called_like_counts_is_counted_whatever_the_statement_says(check: Checking, said) -> None:
    table = {"a.csv": "sex,persons,deaths\nwomen,120,3\nmen,95,4\n"}

    assert {(m.row, m.column) for m in found(check(table, {"a.csv": said})["a.csv"], "table.small_count").cells} == {
        (0, 2),
        (1, 2),
    }


def test_counts_with_decimals_are_counts(check: Checking) -> None:
    assert "table.small_count" in rules(check({"a.csv": "sex,persons\nwomen,120.5\nmen,3.01\n"})["a.csv"])
