"""Differencing: a researcher who knows everybody but one person asks about cohorts and tables that differ by them.

The attacker asks what tells most (a cell that holds that person alone, cohorts with and without them), again and again
until the Trust refuses, and adds up the exact likelihood ratio of every answer. Whatever is asked, an (ε, δ) ledger
allows telling the two worlds apart no better than by tanh(ε/2) + δ (Wasserman and Zhou, JASA 2010; Kairouz, Oh and
Viswanath, ICML 2015). Real tasks, admission, ledger, engine and noise; each attack is a project of its own.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, islice

import polars as pl
import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.notices import fingerprint
from flip_sdk.contract.statistics import AgeBands, ConditionRecorded, CrossTable, Mean, SexIn
from flip_sdk.contract.tasks import Refusal, RefusalCode
from flip_trust import admission, consent
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.disclosure import protect, statistics
from flip_trust.setup import make_home
from scipy.stats import beta

from tests.trust.world import (
    FEATURES,
    FEMALE,
    MALIGNANT,
    NAME,
    RADIUS,
    Hub,
    Trust,
    answer_of,
    count_spec,
    write_patients,
)

PERSONS, EPSILON, EACH = 200, 1.0, 0.25
OLD, DOUBT = 100, 1e-3
OLDEST = Cohort(criteria=(AgeBetween(low=OLD),))
OTHERS = Cohort(criteria=(AgeBetween(low=OLD, negate=True),))
SEX, AGE, ILL = SexIn(concept_ids=(FEMALE,)), AgeBands(starts=(OLD,)), ConditionRecorded(concept_ids=(MALIGNANT,))


def table(*by):
    return StatisticsSpec(project_id="p", question=CrossTable(by=by), epsilon=EACH, delta=0.0)


# what is asked, the answer's cell that holds the person alone, and what it holds without and with them
QUESTIONS = (
    ("statistics", table(SEX, AGE, ILL), (0, 1, 1), 0),
    ("statistics", table(AGE, ILL), (1, 1), 0),
    ("count", count_spec(epsilon=EACH), (0,), PERSONS),
    ("count", count_spec(cohort=OTHERS, epsilon=EACH), None, PERSONS),
)


def add_target(folder) -> None:
    """A woman of over a hundred years with a malignant mass: nobody else is as old."""
    rows = {
        "person": {"person_id": 9999, "gender_concept_id": FEMALE, "year_of_birth": 1910},
        "condition_occurrence": {"person_id": 9999, "condition_concept_id": MALIGNANT},
        "measurement": {
            "person_id": 9999,
            "measurement_concept_id": RADIUS,
            "measurement_date": date(2025, 1, 1),
            "value_as_number": 29.0,
        },
    }
    for name, row in rows.items():
        before = pl.read_parquet(folder / f"{name}.parquet")
        pl.concat([before, pl.DataFrame([row], schema=before.schema)]).write_parquet(folder / f"{name}.parquet")


@pytest.fixture
def worlds(tmp_path, running):
    """The same Trust without the person and with them."""
    found, hub = [], Hub()
    for here in (False, True):
        config = TrustConfig(
            tmp_path / f"trust-{here}",
            NAME,
            "Aldgate",
            sandbox="none",
            repeat_answers=False,
            status_interval=5.0,
            total_epsilon=1e6,
        )
        make_home(config, hub.enrolment, fingerprint(hub.enrolment))
        write_patients(config.omop, PERSONS)
        if here:
            add_target(config.omop)
        found.append(Trust(config, hub, Database.open(config.database)))
        running(found[-1])
    return found


def opt_in(trust, project) -> None:
    until = datetime.now(UTC) + timedelta(days=10)
    terms = consent.Terms(job_kinds=("count", "statistics"), epsilon=EPSILON, delta=1e-5, expires_at=until)
    consent.opt_in(trust.database, project, terms, "sam")


def ask(trust, project, step, spec):
    job = trust.hub.job(spec.model_copy(update={"project_id": project}))
    return answer_of(trust, trust.carrier.answer(trust.carrier.put(trust.hub.parts(job, step))))


def attack(trust, project, each: float, most: int) -> float:
    """The log-likelihood ratio of everything that the Trust answers, until it refuses for its budget."""
    opt_in(trust, project)
    told = 0.0
    for step, spec, cell, without in islice(cycle(QUESTIONS), most):
        record, tensors = ask(trust, project, step, spec.model_copy(update={"epsilon": each}))
        if isinstance(record, Refusal):
            assert record.code == RefusalCode.BUDGET_EXCEEDED
            break
        if cell is not None and tensors is not None:
            (answer,) = (value[cell] for value in tensors.values())
            told += each * (abs(answer - without) - abs(answer - without - 1))
    return told


def advantage(worlds, trials: int, each: float = EACH, most: int = 12) -> float:
    """How much better than by guessing the worlds are told apart, at least (but for one time in a thousand)."""
    scores = [[attack(trust, f"project-{n}", each, most) for n in range(trials)] for trust in worlds]
    right = [sum(score <= 0 for score in scores[0]), sum(score > 0 for score in scores[1])]
    rates = [beta.ppf(DOUBT / 2, hits, trials - hits + 1) if hits else 0.0 for hits in right]
    return float(sum(rates) - 1)


def allowed() -> float:
    return math.tanh(EPSILON / 2) + 1e-5


def test_cohorts_and_tables_that_differ_by_one_person_tell_no_more_than_the_ledger_allows(worlds):
    assert advantage(worlds, 25) <= allowed()


@pytest.mark.slow
def test_a_ledger_that_lets_everything_through_would_be_noticed(worlds, monkeypatch):
    monkeypatch.setattr(admission.store, "covers", lambda *_: True)
    assert advantage(worlds, 30, each=8.0, most=4) > allowed()


@pytest.mark.slow
def test_answers_without_noise_would_be_noticed(worlds, monkeypatch):
    for module in (protect, statistics):
        monkeypatch.setattr(module, "discrete_laplace", lambda exact, _scale: exact)
    assert advantage(worlds, 25) > allowed()


def test_a_cohort_of_one_is_answered_like_a_cohort_of_nobody(worlds):
    answers = []
    for trust in worlds:
        opt_in(trust, "alone")
        count, released = ask(trust, "alone", "count", count_spec(cohort=OLDEST, epsilon=0.3))
        mean = StatisticsSpec(
            project_id="p", question=Mean(measurements=FEATURES), cohort=OLDEST, epsilon=0.3, delta=1e-5
        )
        refused, _ = ask(trust, "alone", "statistics", mean)
        answers.append((count.suppressed, released, getattr(refused, "code", None), len(trust.ledger())))
    assert answers[0] == answers[1] == (True, None, RefusalCode.COHORT_TOO_SMALL, 2)


def test_the_average_of_many_questions_is_no_better_than_the_budget(worlds):
    """Asked as cheaply as may be, more answers are had, and together they say no more."""
    trust, answers = worlds[1], []
    opt_in(trust, "patient")
    cheap = count_spec(epsilon=0.05)
    while True:
        record, tensors = ask(trust, "patient", "count", cheap)
        if isinstance(record, Refusal):
            break
        answers += [] if tensors is None else [tensors["persons"][0]]
    assert record.code == RefusalCode.BUDGET_EXCEEDED
    # the best estimate's own error: noise of standard deviation √2/ε each, over the root of their number
    error = math.sqrt(2) / 0.05 / math.sqrt(len(answers))
    assert len(answers) >= 20
    assert error > 2.0
