from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from flip_sdk.contract.statistics import FollowUp
from flip_sdk.contract.tasks import RefusalCode
from flip_trust.cohort.follow_up import followed, require_tables
from flip_trust.cohort.omop import Omop
from flip_trust.errors import RefusedError

ILL, RELAPSE, OTHER = 1, 2, 3
LONG = {"maximum_days": 10_000}


def day(number: int) -> date:
    return date.fromordinal(date(2020, 1, 1).toordinal() + number)


@pytest.fixture
def omop(tmp_path) -> Omop:
    return Omop(tmp_path)


def write(omop, *, observed=(), conditions=(), deaths=(), kind=pl.Date) -> None:
    """Rows with days as numbers; None for a date that is missing."""

    def table(name, columns, rows):
        dated = [
            [None if v is None else day(v) if c.endswith("date") else v for c, v in zip(columns, row, strict=True)]
            for row in rows
        ]
        schema = {c: pl.Date if c.endswith("date") else pl.Int64 for c in columns}
        frame = pl.DataFrame(dated, schema=schema, orient="row")
        frame.with_columns(pl.col(pl.Date).cast(kind)).write_parquet(omop.folder / f"{name}.parquet")

    table("observation_period", ("person_id", "observation_period_start_date", "observation_period_end_date"), observed)
    table("condition_occurrence", ("person_id", "condition_concept_id", "condition_start_date"), conditions)
    table("death", ("person_id", "death_date"), deaths)


def found(omop, follow_up) -> dict[int, tuple[float, int]]:
    rows = followed(follow_up, omop).iter_rows()
    return {person: (days, event) for person, days, event in rows}


def test_from_the_start_of_observation_to_death_or_its_end(omop) -> None:
    write(omop, observed=[(1, 0, 100), (2, 10, 100), (3, 0, 50)], deaths=[(1, 40), (3, 70)])

    # who dies after observation has ended is censored at its end
    assert found(omop, FollowUp(**LONG)) == {1: (40, 1), 2: (90, 0), 3: (50, 0)}


def test_from_the_first_record_of_a_condition_to_the_first_of_another(omop) -> None:
    conditions = [(1, ILL, 30), (1, ILL, 10), (1, RELAPSE, 50), (1, RELAPSE, 90), (2, ILL, 20), (3, RELAPSE, 5)]
    write(omop, observed=[(1, 0, 100), (2, 0, 100), (3, 0, 100)], conditions=conditions)

    assert found(omop, FollowUp(start=(ILL,), event=(RELAPSE,), **LONG)) == {1: (40, 1), 2: (80, 0)}


def test_who_had_the_event_before_is_not_at_risk(omop) -> None:
    conditions = [(1, ILL, 30), (1, RELAPSE, 10), (1, RELAPSE, 60), (2, ILL, 30), (2, RELAPSE, 30)]
    write(omop, observed=[(1, 0, 100), (2, 0, 100)], conditions=conditions)

    # an event on the day of the start counts, on day 0
    assert found(omop, FollowUp(start=(ILL,), event=(RELAPSE,), **LONG)) == {2: (0, 1)}


def test_the_start_has_to_be_observed(omop) -> None:
    conditions = [(1, ILL, 30), (2, ILL, 130), (3, ILL, 300), (4, ILL, None)]
    observed = [(1, 0, 100), (2, 0, 100), (2, 120, 200), (2, 125, 180), (3, 0, 100)]
    write(omop, observed=observed, conditions=conditions)

    assert found(omop, FollowUp(start=(ILL,), event=(RELAPSE,), **LONG)) == {1: (70, 0), 2: (70, 0)}


def test_reversed_and_missing_dates_count_as_not_recorded(omop) -> None:
    observed = [(1, 100, 0), (2, None, 50), (3, 0, None), (4, 0, 100), (5, 0, 100)]
    write(omop, observed=observed, deaths=[(4, None), (5, -20)])

    # person 5 died before being observed: an error of the records
    assert found(omop, FollowUp(**LONG)) == {4: (100, 0)}


def test_several_deaths_are_the_first_one(omop) -> None:
    write(omop, observed=[(1, 0, 100)], deaths=[(1, 80), (1, 60)])

    assert found(omop, FollowUp(**LONG)) == {1: (60, 1)}


@pytest.mark.parametrize("kind", [pl.Datetime, pl.String])
def test_dates_may_come_as_moments_or_text(omop, kind) -> None:
    write(omop, observed=[(1, 0, 100)], deaths=[(1, 40)], kind=kind)

    assert found(omop, FollowUp(**LONG)) == {1: (40, 1)}


@pytest.mark.parametrize(
    ("missing", "follow_up"),
    [
        ("observation_period", FollowUp(event=(RELAPSE,), **LONG)),
        ("death", FollowUp(**LONG)),
        ("condition_occurrence", FollowUp(event=(RELAPSE,), **LONG)),
    ],
)
def test_a_trust_without_a_table_cannot_tell(omop, missing, follow_up) -> None:
    write(omop, observed=[(1, 0, 100)])
    require_tables(follow_up, omop)
    (omop.folder / f"{missing}.parquet").unlink()

    with pytest.raises(RefusedError) as caught:
        require_tables(follow_up, omop)
    assert caught.value.refusal == RefusalCode.UNKNOWN_CONCEPT


def test_a_trust_without_dates_cannot_tell(omop) -> None:
    write(omop, observed=[(1, 0, 100)])
    pl.DataFrame({"person_id": [1], "condition_concept_id": [ILL]}).write_parquet(
        omop.folder / "condition_occurrence.parquet"
    )

    require_tables(FollowUp(**LONG), omop)
    with pytest.raises(RefusedError):
        require_tables(FollowUp(start=(ILL,), **LONG), omop)


def test_the_dates_of_other_conditions_do_not_matter(omop) -> None:
    write(omop, observed=[(1, 0, 100)], conditions=[(1, OTHER, 20)])

    assert found(omop, FollowUp(event=(RELAPSE,), **LONG)) == {1: (100, 0)}
