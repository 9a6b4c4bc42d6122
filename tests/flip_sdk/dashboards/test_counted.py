from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.contract.api import RefusalView
from flip_sdk.contract.tasks import REFUSAL_WORDS, RefusalCode
from flip_sdk.dashboards import Parts, Picture, Results, cohorts, persons
from flip_sdk.dashboards.counted import margin
from flip_sdk.mechanisms.floors import ROUNDING

from tests.flip_sdk.dashboards.made import DESCRIBED, ILL, counted


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0, 4.0])
def test_95_of_100_intervals_hold_the_true_number(epsilon: float) -> None:
    noise = np.arange(-2000, 2001)
    chance = np.exp(-epsilon * np.abs(noise)) * math.tanh(epsilon / 2)
    told = ROUNDING * np.round((1000 + noise) / ROUNDING)
    assert chance[np.abs(told - 1000) <= margin(epsilon)].sum() >= 0.95
    # and they are no wider than the noise asks for, but for the rounding
    assert chance[np.abs(noise) < margin(epsilon) - ROUNDING / 2].sum() < 0.95 or epsilon >= 4


def test_persons_are_told_with_what_is_kept_back() -> None:
    refused = RefusalView(
        trust="dunmore", code=RefusalCode.BUDGET_EXCEEDED, words=REFUSAL_WORDS[RefusalCode.BUDGET_EXCEEDED]
    )
    result = counted("c1", {"aldgate": 200, "brookfield": 45, "carrick": None}).model_copy(
        update={"refusals": (refused,)}
    )
    shown = persons(Results([result]))
    assert isinstance(shown, Parts)
    (picture,) = shown.parts
    assert isinstance(picture, Picture)
    assert "aldgate 200 give or take" in picture.alt
    assert "all together 245 give or take" in picture.alt
    assert picture.caption.endswith("Not told: carrick (under its floor, or too noisy), dunmore (did not take part).")


def test_nothing_over_the_floor_and_no_count_are_said() -> None:
    assert "too few persons everywhere" in repr(persons(Results([counted("c1", {"aldgate": None})])))
    assert "No count" in repr(persons(Results([DESCRIBED])))
    assert "No count" in repr(cohorts(Results([])))


def test_each_cohort_is_told_once_with_its_jobs() -> None:
    told = cohorts(Results([counted("c1", {}), counted("c2", {}, ILL), DESCRIBED])).paragraphs
    assert told == ("Everybody. (Jobs c1, s1.)", "Persons with a record of concept 9. (Job c2.)")
