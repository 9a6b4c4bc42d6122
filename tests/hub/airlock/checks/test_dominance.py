from __future__ import annotations

from flip_hub.airlock.checks import load
from flip_hub.airlock.checks.dominance import dominated

from tests.hub.airlock.checks.conftest import Checking, found, rules

COSTS = "region,cost\nnorth,1020\nsouth,1000\n"
BY_TRUST = "region,trust,cost\nnorth,A,900\nnorth,B,100\nnorth,C,20\n" + "".join(
    f"south,{t},100\n" for t in "DEFGHIJKLM"
)


def test_a_total_that_two_trusts_make_up_is_marked(check: Checking) -> None:
    stated = {"a.csv": {"underlying": "b.csv"}, "b.csv": {"leaves": False}}
    examined = check({"a.csv": COSTS, "b.csv": BY_TRUST}, stated)["a.csv"]

    assert [(mark.row, mark.column) for mark in found(examined, "table.dominated").cells] == [(0, 1)]


def test_negative_contributions_are_for_a_person(check: Checking) -> None:
    stated = {"a.csv": {"underlying": "b.csv"}, "b.csv": {"leaves": False}}
    examined = check({"a.csv": COSTS, "b.csv": BY_TRUST.replace("20\n", "-20\n", 1)}, stated)["a.csv"]

    assert "table.dominance_unknown" in rules(examined)


def test_both_rules_are_acros_own() -> None:
    groups = {("nk",): [50.0, 45.0, 5.0], ("p",): [100.0, 30.0, 5.0], ("even",): [10.0] * 20, ("one",): [5.0]}

    assert dominated(groups, load("acro")) == [("nk",), ("p",), ("one",)]
