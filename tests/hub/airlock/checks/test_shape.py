from __future__ import annotations

import pytest

from tests.hub.airlock.checks.conftest import Checking, found, rules

COUNTS = "ward,persons\nA,120\nB,5\n"


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("sex,died,survived\nwomen,0,120\nmen,30,90\n", "table.all_in_one"),
        ("ward,persons,died %\nA,120,100\nB,80,40\n", "table.all_or_none"),
        ("ward,persons,max_age\nA,120,101\nB,80,99\n", "table.extreme"),
        ("measure,value\nmean,61.5\nmedian,63\n", "table.extreme"),
        ("ward,mean_days\nA,4.31\nB,6.02\n", "table.no_counts_behind"),
    ],
)
def test_shapes_that_tell_of_persons_are_found(check: Checking, table: str, rule: str) -> None:
    assert rule in rules(check({"a.csv": table})["a.csv"])


def test_measures_with_counts_behind_them_pass_where_these_are_large(check: Checking) -> None:
    means = "ward,mean_days\nA,4.31\nB,6.02\n"
    large = check({"a.csv": means, "b.csv": COUNTS.replace("5", "50")}, behind("b.csv"))
    small = check({"a.csv": means, "b.csv": COUNTS}, behind("b.csv"))

    assert [examined.verdict for examined in large.values()] == ["pass", "pass"]
    assert [(m.row, m.column) for m in found(small["a.csv"], "table.small_behind").cells] == [(1, 1)]
    assert small["b.csv"].verdict == "pass"  # it does not leave


def behind(path: str) -> dict[str, dict[str, object]]:
    return {"a.csv": {"underlying": path}, path: {"leaves": False}}
