"""Statistics jobs at a Trust, from the signed task to the signed answer."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.statistics import (
    AgeBands,
    ConditionRecorded,
    CoxRegression,
    CrossTable,
    Description,
    FollowUp,
    Histogram,
    LinearRegression,
    LogisticRegression,
    Mean,
    Predictors,
    SexIn,
    is_pure,
)
from flip_sdk.contract.tasks import Refusal, RefusalCode
from flip_sdk.mechanisms.statistics.release import release_of
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.statistics import columns_of
from safetensors.numpy import save

from tests.trust.world import (
    FEATURES,
    FEMALE,
    LABEL,
    MALIGNANT,
    PROJECT,
    RADIUS,
    answer_of,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SEX, AGE = SexIn(concept_ids=(FEMALE,)), AgeBands(starts=(40, 60))
ILL = ConditionRecorded(concept_ids=(MALIGNANT,))
TABLE = CrossTable(by=(SEX, AGE, ILL))
DESCRIPTION = Description(by=(SEX, AGE, ILL))
HISTOGRAM = Histogram(measurement=FEATURES[1], bins=4)
MEAN = Mean(measurements=FEATURES)
LINEAR = LinearRegression(outcome=FEATURES[1], predictors=Predictors(measurements=FEATURES[:1]))
LOGISTIC = LogisticRegression(outcome=LABEL, predictors=Predictors(measurements=FEATURES), rounds=3)
DEATH = CoxRegression(follow_up=FollowUp(maximum_days=500), predictors=Predictors(categories=(ILL,)), rounds=2)


def spec(question, **changes) -> StatisticsSpec:
    delta = 0.0 if is_pure(question) else 1e-5
    fields = {"project_id": PROJECT, "question": question, "epsilon": 2.0, "delta": delta}
    return StatisticsSpec(**(fields | changes))


@pytest.fixture
def busy(trust, running):
    trust.opt_in(job_kinds=("count", "statistics"))
    running(trust)
    return trust


def write_deaths(folder) -> None:
    ids = pl.read_parquet(folder / "person.parquet")["person_id"]
    period = {"observation_period_start_date": date(2024, 1, 1), "observation_period_end_date": date(2025, 1, 1)}
    pl.DataFrame({"person_id": ids}).with_columns(**{n: pl.lit(v) for n, v in period.items()}).write_parquet(
        folder / "observation_period.parquet"
    )
    pl.DataFrame({"person_id": ids[::3]}).with_columns(death_date=pl.lit(date(2024, 7, 1))).write_parquet(
        folder / "death.parquet"
    )


def ask(trust, parts):
    return answer_of(trust, trust.carrier.answer(trust.carrier.put(parts)))


def coefficients(*values: float) -> bytes:
    return bytes(save({"coefficients": np.array(values)}))


def test_columns_come_from_the_tables(trust) -> None:
    omop = Omop(trust.config.omop)
    columns = columns_of(spec(TABLE), omop, NOW)
    born = dict(omop.persons().select("person_id", "year_of_birth").collect().iter_rows())
    ages = [NOW.year - born[person] for person in sorted(born)]

    assert len(columns) == 400
    assert not columns.levels[:, 0].any()
    assert columns.levels[:, 1].tolist() == [0 if age < 40 else 1 if age < 60 else 2 for age in ages]
    assert 100 < columns.levels[:, 2].sum() < 220


def test_who_has_no_recorded_year_or_another_sex_is_unknown(trust) -> None:
    person = pl.read_parquet(trust.config.omop / "person.parquet")
    first = pl.col("person_id") == 1001
    person.with_columns(
        year_of_birth=pl.when(first).then(None).otherwise("year_of_birth"),
        gender_concept_id=pl.when(first).then(0).otherwise("gender_concept_id"),
    ).write_parquet(trust.config.omop / "person.parquet")
    levels = columns_of(spec(TABLE), Omop(trust.config.omop), NOW).levels

    assert levels[0, :2].tolist() == [1, 3]
    assert not levels[1:, 0].any()


def test_a_person_of_two_sexes_counts_once(trust) -> None:
    person = pl.read_parquet(trust.config.omop / "person.parquet")
    twice = person.head(7).with_columns(gender_concept_id=pl.lit(0, dtype=person["gender_concept_id"].dtype))
    pl.concat([person, twice]).write_parquet(trust.config.omop / "person.parquet")

    assert len(columns_of(spec(TABLE), Omop(trust.config.omop), NOW)) == 400


def test_measurements_that_are_missing_stay_so_and_parts_divide_everyone(trust) -> None:
    omop = Omop(trust.config.omop)
    parts = [columns_of(spec(MEAN, part=part), omop, NOW) for part in ("train", "test", "all")]

    assert len(parts[0]) + len(parts[1]) == len(parts[2])
    assert np.isnan(parts[2].measurements[:, 1]).sum() == 40


@pytest.mark.parametrize("question", [TABLE, DESCRIPTION, HISTOGRAM, MEAN, LINEAR], ids=lambda question: question.kind)
def test_one_release_answers(busy, question) -> None:
    record, tensors = ask(busy, busy.hub.parts(busy.hub.job(spec(question)), "statistics"))

    assert {name: value.shape for name, value in tensors.items()} == dict(release_of(question).shapes)
    assert (record.step, record.round, record.suppressed) == ("statistics", 0, False)
    assert len(busy.ledger()) == 1
    assert busy.pool.calls == []


def test_cells_carry_the_noise_that_was_debited(busy) -> None:
    levels = columns_of(spec(TABLE), Omop(busy.config.omop), datetime.now(UTC)).levels
    told = [
        ask(busy, busy.hub.parts(busy.hub.job(spec(TABLE, epsilon=0.2)), "statistics"))[1]["cells"] for _ in range(20)
    ]
    exact = np.zeros(told[0].shape)
    np.add.at(exact, tuple(levels.T), 1)
    noise = np.array(told) - exact

    # 320 numbers, whose mean size is within a third but for once in ten million times
    assert np.abs(noise).mean() == pytest.approx(1 / 0.2, rel=0.32)
    assert all(float(value).is_integer() for value in noise.ravel())


def test_a_description_carries_noise_for_each_of_its_tables(busy) -> None:
    levels = columns_of(spec(DESCRIPTION), Omop(busy.config.omop), datetime.now(UTC)).levels
    exact = np.concatenate([np.bincount(one, minlength=size) for one, size in zip(levels.T, (2, 4, 2), strict=True)])
    job = spec(DESCRIPTION, epsilon=0.6)
    told = [ask(busy, busy.hub.parts(busy.hub.job(job), "statistics"))[1]["cells"] for _ in range(15)]

    # three tables: the noise of ε = 0.2; 120 numbers, whose mean is within a half but for once in a million
    assert np.abs(np.array(told) - exact).mean() == pytest.approx(1 / 0.2, rel=0.5)


def test_a_regression_goes_on_from_coefficients_over_the_same_persons(busy) -> None:
    job = busy.hub.job(spec(LOGISTIC))
    _, first = ask(busy, busy.hub.parts(job, "statistics"))
    pl.read_parquet(busy.config.omop / "person.parquet").head(1).write_parquet(busy.config.omop / "person.parquet")
    record, second = ask(busy, busy.hub.parts(job, "statistics", 1, weights=coefficients(0.1, 0.2, 0.3)))

    assert record.round == 1
    assert abs(second["persons"][0] - first["persons"][0]) < 150
    assert second["persons"][0] > 200
    assert len(busy.ledger()) == 1


def test_a_round_is_released_once_for_each_coefficients(busy) -> None:
    job = busy.hub.job(spec(LOGISTIC))
    ask(busy, busy.hub.parts(job, "statistics"))
    _, first = ask(busy, busy.hub.parts(job, "statistics", 1, weights=coefficients(0, 0, 0)))
    _, again = ask(busy, busy.hub.parts(job, "statistics", 1, weights=coefficients(0, 0, 0), attempt=2))
    refusal, _ = ask(busy, busy.hub.parts(job, "statistics", 1, weights=coefficients(1, 0, 0)))

    assert np.array_equal(first["score"], again["score"])
    assert refusal.code == RefusalCode.OUT_OF_ORDER


@pytest.mark.parametrize(
    ("question", "number", "weights", "code"),
    [
        (TABLE, 1, None, RefusalCode.BAD_RECORD),
        (TABLE, 0, coefficients(1), RefusalCode.BAD_RECORD),
        (LOGISTIC, 0, coefficients(0, 0, 0), RefusalCode.BAD_RECORD),
        (LOGISTIC, 1, None, RefusalCode.BAD_RECORD),
        (LOGISTIC, 3, coefficients(0, 0, 0), RefusalCode.BAD_RECORD),
        (LOGISTIC, 1, coefficients(0, 0), RefusalCode.BAD_RECORD),
        (LOGISTIC, 1, coefficients(0, 0, math.nan), RefusalCode.BAD_RECORD),
        (LOGISTIC, 1, b"not safetensors", RefusalCode.BAD_RECORD),
        (LOGISTIC, 1, bytes(save({"others": np.zeros(3)})), RefusalCode.BAD_RECORD),
        (DEATH, 0, None, RefusalCode.UNKNOWN_CONCEPT),
    ],
)
def test_what_does_not_fit_is_refused(busy, question, number, weights, code) -> None:
    refusal, _ = ask(busy, busy.hub.parts(busy.hub.job(spec(question)), "statistics", number, weights=weights))

    assert isinstance(refusal, Refusal)
    assert refusal.code == code


def test_a_trust_with_dates_answers_of_survival_and_debits_nothing_without(busy) -> None:
    refusal, _ = ask(busy, busy.hub.parts(busy.hub.job(spec(DEATH)), "statistics"))
    assert refusal.code == RefusalCode.UNKNOWN_CONCEPT
    assert busy.ledger() == []

    write_deaths(busy.config.omop)
    record, tensors = ask(busy, busy.hub.parts(busy.hub.job(spec(DEATH)), "statistics"))
    assert record.claim.mechanism == "gaussian"
    assert tensors["score"].shape == (11,)


@pytest.mark.parametrize("question", [TABLE, DESCRIPTION, MEAN, LOGISTIC], ids=lambda question: question.kind)
def test_a_small_cohort_is_refused_and_costs_all_the_same(busy, question) -> None:
    nobody = Cohort(criteria=(AgeBetween(low=150),))
    job = busy.hub.job(spec(question, cohort=nobody))
    for attempt in (1, 2):
        refusal, _ = ask(busy, busy.hub.parts(job, "statistics", attempt=attempt))
        assert refusal.code == RefusalCode.COHORT_TOO_SMALL
    assert len(busy.ledger()) == 1


def test_a_steward_who_did_not_allow_statistics_is_not_asked_twice(trust, running) -> None:
    trust.opt_in(job_kinds=("count", "train"))
    running(trust)
    refusal, _ = ask(trust, trust.hub.parts(trust.hub.job(spec(TABLE)), "statistics"))

    assert refusal.code == RefusalCode.JOB_KIND_NOT_ALLOWED
    assert trust.ledger() == []


def test_concepts_of_a_question_have_to_be_in_the_trusts_table(busy) -> None:
    other = ConditionRecorded(concept_ids=(RADIUS,))
    refusal, _ = ask(busy, busy.hub.parts(busy.hub.job(spec(CrossTable(by=(other,)))), "statistics"))

    assert refusal.code == RefusalCode.UNKNOWN_CONCEPT
