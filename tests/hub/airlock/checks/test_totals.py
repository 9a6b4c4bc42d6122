from __future__ import annotations

import pytest

from tests.hub.airlock.checks.conftest import Checking, found, rules
from tests.hub.airlock.checks.test_ledger import EXACT


def flagged(check: Checking, text: str) -> set[str]:
    return {rule for rule in rules(check({"a.csv": text}, past=EXACT)["a.csv"]) if rule != "table.unrounded"}


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("sex,persons\nwomen,120\nmen,*\ntotal,124\n", "table.recoverable"),
        ("sex,persons\nwomen,120\nmen,*\nother,*\ntotal,124\n", "table.small_remainder"),
        ("sex,persons\nwomen,120\nmen,90\ntotal,213\n", "table.total_differs"),
        ("sex,ill,well,all\nwomen,*,40,44\nmen,*,60,66\n", "table.recoverable"),
    ],
)
def test_totals_that_give_back_what_was_kept_back_are_found(check: Checking, table: str, rule: str) -> None:
    assert flagged(check, table) == {rule}


def test_several_totals_together_give_back_a_cell(check: Checking) -> None:
    table = "sex,ill,well,unknown,total\nwomen,*,*,40,100\nmen,*,50,30,100\nother,20,*,25,100\ntotal,90,100,95,300\n"
    examined = check({"a.csv": table}, past=EXACT)["a.csv"]

    marks = {(mark.row, mark.column) for mark in found(examined, "table.recoverable").cells}
    assert marks == {(0, 1), (0, 2), (1, 1), (2, 2)}


def test_cells_that_protect_each_other_are_safe(check: Checking) -> None:
    square = "sex,ill,well,total\nwomen,*,*,100\nmen,*,*,100\nother,40,60,100\ntotal,140,160,300\n"

    assert flagged(check, square) == set()


def test_rounded_totals_give_nothing_back(check: Checking, past) -> None:
    assert rules(check({"a.csv": "sex,persons\nwomen,120\nmen,*\ntotal,125\n"}, past=past)["a.csv"]) == set()
