from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.jobs import ModelRef
from flip_sdk.contract.records import digest
from flip_sdk.dashboards import Results, Words, differences, served, subgroups
from flip_sdk.dashboards.subgroups import NOTHING, groups
from flip_sdk.frames import Frame

from tests.flip_sdk.dashboards.made import ILL, MEN, OLD, WOMEN, scored

OTHER = ModelRef(graph=digest(b"g"), weights=digest(b"x"))
ALL = scored("e1", 0.88)


def rows(*results: object) -> list[dict[str, object]]:
    found = differences(Results(list(results)))  # type: ignore[arg-type]
    assert isinstance(found, Frame)
    return found.rows(named=True)


def test_each_group_is_beside_the_widest_with_an_interval_and_a_word() -> None:
    alike, worse = rows(ALL, scored("e2", 0.80, cohort=MEN), scored("e3", 0.879, cohort=WOMEN))[::2]
    assert worse["in words"] == "clearly worse"
    assert worse["difference"] == pytest.approx(-0.08)
    # two groups by two figures: the 1 - 0.05 / 8 quantile
    assert worse["high"] == pytest.approx(-0.08 + 2.498 * np.hypot(0.01, 0.01), abs=0.001)
    assert alike["in words"] == "no clear difference"
    assert rows(ALL, scored("e2", 0.95, cohort=MEN))[0]["in words"] == "clearly better"


def test_what_the_comparison_says_never_says_that_a_model_is_fair() -> None:
    bad = served(Results([ALL, scored("e2", 0.80, cohort=MEN), scored("e4", None, cohort=OLD)])).paragraphs
    assert "clearly worse for: Persons whose recorded sex is male." in bad[1]
    assert "too few persons" in bad[2]
    good = served(Results([ALL, scored("e2", 0.875, cohort=MEN)])).paragraphs
    assert "no proof" in good[1]


def test_too_few_to_tell_is_told_and_never_compared() -> None:
    results = Results([ALL, scored("e2", 0.87, cohort=MEN), scored("e3", None, cohort=OLD)])
    assert "Too few persons to tell: Persons aged 75 or over now." in subgroups(results).caption
    assert "75" not in subgroups(results).alt
    assert len(rows(*results)) == 2


def test_another_model_is_another_comparison_and_the_last_evaluation_of_a_group_counts() -> None:
    found = groups(
        Results(
            [ALL, scored("e2", 0.5, days=9), scored("e3", 0.9, cohort=MEN), scored("e4", 0.1, cohort=ILL, model=OTHER)]
        )
    )
    assert [one.name for one in found] == ["Everybody.", "Persons whose recorded sex is male."]
    assert found[0].figures is not None
    assert found[0].figures.accuracy == 0.5


@pytest.mark.parametrize("results", [[], [ALL], [ALL, scored("e2", None, cohort=MEN)]], ids=["none", "one", "told one"])
def test_one_group_is_no_comparison(results: list[object]) -> None:
    for shown in (served, differences):
        found = shown(Results(results))  # type: ignore[arg-type, operator]
        assert isinstance(found, Words)
        assert found.paragraphs == (NOTHING,)


def test_95_of_100_pages_call_no_group_worse_where_none_is() -> None:
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        accuracies = random.normal(0.85, 0.02, 4)
        cohorts = (None, MEN, WOMEN, OLD)
        some = [
            scored(f"e{i}", float(a), cohort=c, error=0.02)
            for i, (a, c) in enumerate(zip(accuracies, cohorts, strict=True))
        ]
        wrong += any(row["in words"] != "no clear difference" for row in rows(*some))
    assert wrong <= 18
