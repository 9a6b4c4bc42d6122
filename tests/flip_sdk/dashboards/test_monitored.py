from __future__ import annotations

import pytest
from flip_sdk.dashboards import Results, Words, holds, over_time, reliability, volumes
from flip_sdk.dashboards.monitored import NOTHING, looks
from flip_sdk.frames import Frame

from tests.flip_sdk.dashboards.made import WOMEN, scored

STEADY = [scored("e3", 0.88), scored("e1", 0.875, days=60), scored("e2", 0.87, days=120)]


def test_times_are_in_order_whatever_the_jobs_are_called() -> None:
    assert [one.job for one in looks(Results([STEADY[2], STEADY[0], STEADY[1]]))] == ["e3", "e1", "e2"]
    table = volumes(Results(STEADY))
    assert isinstance(table, Frame)
    assert table.rows(named=True)[0] == {"day": "5 Jan 2026", "job": "e3", "persons": 400.0, "majority": 0.6}


def test_a_model_that_holds_and_one_that_does_not() -> None:
    told = holds(Results(STEADY)).paragraphs
    assert told[0].startswith("The model was scored 3 times from 5 Jan 2026 to 5 May 2026. Of whom: Everybody.")
    assert told[1].startswith("It holds")
    fallen = holds(Results([*STEADY, scored("e4", 0.80, days=180)])).paragraphs
    assert fallen[1].startswith(
        "It changed: on 4 Jul 2026 its accuracy was 0.800 after 0.880 (a change of -0.080 ± 0.0"
    )
    assert len(fallen) == 3


def test_the_drawing_says_its_numbers() -> None:
    shown = over_time(Results(STEADY))
    assert "accuracy 0.880 on 5 Jan 2026, 0.875 on 6 Mar 2026" in shown.alt
    assert "slope of the calibration" in shown.alt


@pytest.mark.parametrize(
    "results",
    [
        [],
        [scored("e1", 0.9)],
        [scored("e1", 0.9, days=None), scored("e2", 0.9, days=None)],
        [scored("e1", 0.9), scored("e2", 0.9, cohort=WOMEN, days=60)],
        [scored("e1", 0.9), scored("e2", None, days=60)],
    ],
    ids=["none", "one", "no times", "other persons", "too few"],
)
def test_what_cannot_be_compared_is_not(results: list[object]) -> None:
    found = Results(results)  # type: ignore[arg-type]
    assert holds(found).paragraphs == (NOTHING,)
    assert isinstance(volumes(found), Words)
    assert over_time(found).caption == NOTHING
    assert reliability(found).caption
