"""Questions through the hub's dispatcher and three Trusts, all real, noise included; only the carrier is played."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from flip_hub.database import Routine
from flip_hub.database import Trust as TrustRow
from flip_sdk.contract.features import Feature
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.notices import fingerprint
from flip_sdk.contract.states import JobState
from flip_sdk.contract.statistics import (
    AgeBands,
    AnyQuestion,
    ConditionRecorded,
    CoxRegression,
    CrossTable,
    FollowUp,
    Histogram,
    KaplanMeier,
    LinearRegression,
    LogisticRegression,
    Mean,
    Predictors,
    Quantiles,
    is_pure,
)
from flip_sdk.mechanisms.statistics.columns import Columns
from flip_sdk.mechanisms.statistics.sums import exact
from flip_trust import egress
from flip_trust.agent.testing import FakeReceived
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.statistics import columns_of
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.keys import PinnedHub, load_identity
from flip_trust.setup import make_home
from flip_trust.verify import verify_task

from tests.flip_sdk.mechanisms.statistics.cases import fitted, together
from tests.hub.dispatcher.conftest import PROJECT
from tests.hub.dispatcher.conftest import Hub as RealHub
from tests.trust.world import LABEL, MALIGNANT, RADIUS, TEXTURE, Trust, write_patients
from tests.trust.world import Hub as Keys

NAMES = ("aldgate", "brookfield", "carrick")
SIZE = Feature(concept_id=RADIUS, low=8, high=22, name="radius")
GRAIN = Feature(concept_id=TEXTURE, low=16, high=24, name="texture")
ILL = ConditionRecorded(concept_ids=(MALIGNANT,), name="malignant")
DEATH = FollowUp(maximum_days=600, intervals=4)
QUESTIONS: tuple[AnyQuestion, ...] = (
    CrossTable(by=(AgeBands(starts=(40, 60)), ILL)),
    Histogram(measurement=SIZE, bins=6),
    Mean(measurements=(SIZE, GRAIN)),
    Quantiles(measurement=SIZE, bins=32),
    KaplanMeier(follow_up=DEATH, by=ILL),
    LinearRegression(outcome=SIZE, predictors=Predictors(categories=(ILL,))),
    LogisticRegression(
        outcome=LABEL, predictors=Predictors(measurements=(GRAIN,), categories=(AgeBands(starts=(50,)),)), rounds=6
    ),
    CoxRegression(follow_up=DEATH, predictors=Predictors(categories=(ILL,)), rounds=6),
)


class Replies:
    """Keeps what leaves by the one door."""

    def reply(self, received: FakeReceived, parts: Mapping[str, bytes]) -> None:
        received.message = dict(parts)


def write_follow_up(folder, seed: int) -> None:
    """Made-up deaths: those with a malignant mass die three times as fast."""
    random = np.random.default_rng(seed)
    ids = pl.read_parquet(folder / "person.parquet")["person_id"]
    having = pl.read_parquet(folder / "condition_occurrence.parquet")
    ill = ids.is_in(having.filter(pl.col("condition_concept_id") == MALIGNANT)["person_id"].implode()).to_numpy()
    begin = date(2022, 1, 1)
    death = random.exponential(1 / (0.0006 * np.where(ill, 3.0, 1.0)))
    observed = random.integers(300, 1200, len(ids))
    ends = [begin + timedelta(days=int(days)) for days in observed]
    pl.DataFrame(
        {"person_id": ids, "observation_period_start_date": [begin] * len(ids), "observation_period_end_date": ends}
    ).write_parquet(folder / "observation_period.parquet")
    died = death <= observed
    dates = [begin + timedelta(days=int(days)) for days in death[died]]
    pl.DataFrame({"person_id": ids.filter(pl.Series(died)), "death_date": dates}).write_parquet(
        folder / "death.parquet"
    )


class Chain:
    """A hub with its dispatcher, and Trusts that answer it."""

    def __init__(self, folder) -> None:
        (folder / "hub").mkdir()
        self.hub = RealHub(folder / "hub")
        self.pinned = PinnedHub(self.hub.governance.public, self.hub.key.public)
        self.trusts = {name: self._trust(folder / name, name, place) for place, name in enumerate(NAMES, start=1)}
        with self.hub.database.write(Routine("a test")) as session:
            for name, trust in self.trusts.items():
                session.get_one(TrustRow, name).identity_key = load_identity(trust.config).public.x
        self.hub.carrier.responders = {name: lambda parts, name=name: self._answer(name, parts) for name in NAMES}

    def _trust(self, home, name: str, place: int) -> Trust:
        keys = Keys(self.hub.governance, self.hub.key)
        config = TrustConfig(
            home, name, name.title(), sandbox="none", repeat_answers=False, max_epsilon_per_job=100, total_epsilon=1000
        )
        make_home(config, keys.enrolment, fingerprint(keys.enrolment))
        write_patients(config.omop, persons=1500 + 500 * place, seed=place)
        write_follow_up(config.omop, seed=place)
        trust = Trust(config, keys, Database.open(config.database))
        trust.opt_in(job_kinds=("statistics",), epsilon=500.0)
        return trust

    def _answer(self, name: str, parts: Mapping[str, bytes]) -> dict[str, bytes]:
        trust = self.trusts[name]
        now = datetime.now(UTC)
        verified = verify_task(parts, hub=self.pinned, trust=name, now=now, seen=lambda _: False)
        received = FakeReceived({})
        egress.send(Replies(), received, trust.runner().run(verified), load_identity(trust.config))
        return received.message

    def ask(self, question: AnyQuestion, job_id: str = ""):
        """The result of a job, and every Trust's columns for it."""
        delta = 0.0 if is_pure(question) else 1e-5
        spec = StatisticsSpec(project_id=PROJECT, question=question, epsilon=8.0, delta=delta)
        job_id = job_id or question.kind.replace("_", "-")
        self.hub.submit(spec, job_id=job_id, trusts=NAMES)
        assert self.hub.run(job_id).state == JobState.COMPLETED, self.hub.words(job_id)
        now = datetime.now(UTC)
        return self.hub.result(job_id), [columns_of(spec, Omop(t.config.omop), now) for t in self.trusts.values()]


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Iterator[Chain]:
    made = Chain(tmp_path_factory.mktemp("chain"))
    yield made
    made.hub.database.close()


def pooled(cohorts: list[Columns]) -> Columns:
    return Columns(**{name: np.concatenate([vars(c)[name] for c in cohorts]) for name in vars(cohorts[0])})


def without_noise(question: AnyQuestion, cohorts: list[Columns]) -> list:
    """The answer over everybody's data in one place."""
    from flip_sdk.mechanisms.statistics.answers import of_cells, of_means

    everybody = pooled(cohorts)
    if isinstance(question, LinearRegression | LogisticRegression | CoxRegression):
        return together(fitted(np.random.default_rng(0), question, [everybody], 1e-7))
    sums = {"all together": {name: value.astype(float) for name, value in exact(question, everybody).items()}}
    return together(of_means(question, sums, 1e-7) if isinstance(question, Mean) else of_cells(question, sums, 50.0))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)
def test_the_answer_is_that_of_the_pooled_data_within_its_error(chain, question) -> None:
    result, cohorts = chain.ask(question)
    found = [e for e in result.statistics if e.trust == "all"]
    expected = without_noise(question, cohorts)

    assert [(e.quantity, e.of, e.at) for e in found] == [(e.quantity, e.of, e.at) for e in expected]
    compared = [(e, x) for e, x in zip(found, expected, strict=True) if None not in (e.estimate, x.estimate)]
    assert len(compared) > 0.6 * len(found)
    for e, x in compared:
        assert abs(e.estimate - x.estimate) < 5 * e.standard_error


def test_every_trust_debits_a_question_once(chain) -> None:
    before = {name: len(trust.ledger()) for name, trust in chain.trusts.items()}
    chain.ask(CrossTable(by=(ILL,)), job_id="one-more")

    assert {name: len(t.ledger()) - before[name] for name, t in chain.trusts.items()} == dict.fromkeys(NAMES, 1)
