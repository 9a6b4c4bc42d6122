"""The same question gets the same answer; what a project asked can be read at the Trust, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.statistics import AgeBands, CrossTable
from flip_sdk.contract.tasks import Refusal, RefusalCode
from flip_trust import catalogue
from flip_trust.cohort.omop import Omop
from flip_trust.console import tables
from flip_trust.database import Database
from flip_trust.ledger import queries
from rich.console import Console

from tests.trust.world import PROJECT, Trust, answer_of, count_spec

TABLE = StatisticsSpec(project_id=PROJECT, question=CrossTable(by=(AgeBands(starts=(40, 60)),)), epsilon=0.5, delta=0.0)
NOBODY = Cohort(criteria=(AgeBetween(low=149),))


@pytest.fixture
def repeating(trust, running):
    """A Trust as it is set up."""
    again = Trust(replace(trust.config, repeat_answers=True), trust.hub, Database.open(trust.config.database))
    again.opt_in(job_kinds=("count", "statistics"))
    running(again)
    return again


def ask(trust, spec, job=None, attempt=1):
    step = spec.kind
    parts = trust.hub.parts(job or trust.hub.job(spec), step, attempt=attempt)
    return answer_of(trust, trust.carrier.answer(trust.carrier.put(parts)))


def numbers(answer) -> list[float]:
    return [float(value) for tensor in answer[1].values() for value in tensor.ravel()]


@pytest.mark.parametrize("spec", [count_spec(epsilon=0.3), TABLE], ids=lambda spec: spec.kind)
def test_asking_again_gives_the_same_numbers_and_costs_nothing(repeating, spec) -> None:
    first = ask(repeating, spec)
    again = [ask(repeating, spec) for _ in range(3)]

    assert {tuple(numbers(answer)) for answer in again} == {tuple(numbers(first))}
    assert len(repeating.ledger()) == 1
    # each says which job it is for and what it was asked, or the hub would not take it
    assert len({record.job_id for record, _ in (first, *again)}) == 4
    assert len({record.inputs for record, _ in (first, *again)}) == 4
    found = queries.queries(repeating.database, PROJECT)
    assert [query.outcome for query in found] == ["answered", *["answered as before"] * 3]


def test_a_task_that_is_tried_again_is_answered_and_still_costs_nothing(repeating) -> None:
    first = ask(repeating, TABLE)
    job = repeating.hub.job(TABLE)
    tries = [ask(repeating, TABLE, job, attempt) for attempt in (1, 2)]

    assert all(numbers(one) == numbers(first) for one in tries)
    assert len(repeating.ledger()) == 1


def test_what_was_kept_back_or_refused_is_so_again(repeating) -> None:
    kept_back = [ask(repeating, count_spec(cohort=NOBODY, epsilon=0.3)) for _ in range(2)]
    refused = [ask(repeating, TABLE.model_copy(update={"cohort": NOBODY})) for _ in range(2)]

    assert [(record.suppressed, tensors) for record, tensors in kept_back] == [(True, None)] * 2
    assert [record.code for record, _ in refused] == [RefusalCode.COHORT_TOO_SMALL] * 2
    assert len(repeating.ledger()) == 2
    outcomes = [query.outcome for query in queries.queries(repeating.database, PROJECT)]
    assert outcomes == ["kept back", "kept back", "cohort_too_small", "cohort_too_small"]


def test_another_question_is_answered_anew(repeating) -> None:
    others = [
        TABLE,
        TABLE.model_copy(update={"epsilon": 0.51}),
        TABLE.model_copy(update={"part": "train"}),
        TABLE.model_copy(update={"cohort": Cohort(criteria=(AgeBetween(low=1),))}),
    ]
    for spec in others:
        ask(repeating, spec)

    assert len(repeating.ledger()) == len(others)


def test_after_a_new_catalogue_it_is_answered_anew(repeating) -> None:
    ask(repeating, TABLE)
    catalogue.compile_notice(repeating.config, repeating.database, 0.5, "sam", datetime.now(UTC))
    ask(repeating, TABLE)

    assert len([line for line in repeating.ledger() if line["project_id"] == PROJECT]) == 2


def test_a_budget_that_is_spent_still_answers_what_was_answered(repeating) -> None:
    first = ask(repeating, TABLE)
    while not isinstance(ask(repeating, count_spec(epsilon=1.0 + len(repeating.ledger()) / 100))[0], Refusal):
        pass
    assert numbers(ask(repeating, TABLE)) == numbers(first)


def test_an_average_of_answers_is_worth_one_answer(repeating) -> None:
    """Repeating costs nothing and so must tell nothing; a fresh draw takes another question, which is debited."""
    cheap = count_spec(epsilon=0.05)
    answers = {tuple(numbers(answer)) if answer[1] else None for answer in (ask(repeating, cheap) for _ in range(10))}

    assert len(answers) == 1
    assert len(repeating.ledger()) == 1
    for step in range(1, 5):
        ask(repeating, count_spec(epsilon=0.05 + step * 1e-9))
    assert len(repeating.ledger()) == 5


def test_a_steward_sees_every_question_in_words_and_which_cohorts_are_near(repeating, tmp_path) -> None:
    omop = Omop(repeating.config.omop)
    oldest = omop.persons().select("year_of_birth").collect()["year_of_birth"].min()
    but_the_oldest = Cohort(criteria=(AgeBetween(high=datetime.now(UTC).year - oldest - 1),))
    for cohort in (Cohort(), but_the_oldest, Cohort()):
        ask(repeating, count_spec(cohort=cohort, epsilon=0.2))
    ask(repeating, count_spec(cohort=NOBODY, epsilon=50.0))
    found = queries.queries(repeating.database, PROJECT)
    near = list(queries.nearest(found, omop, datetime.now(UTC).year))

    assert [query.kind for query in found] == ["count"] * 4
    assert found[3].outcome == "epsilon_over_cap"
    assert near[0] is None
    assert near[1].number == 1
    assert near[1].persons == near[2].persons
    assert near[2].number == 2
    floor = near[1].persons + 1
    with (tmp_path / "shown").open("w") as file:
        shown = Console(width=160, file=file)
        shown.print(tables.queries_table(found, near, floor, omop.names()))
    text = (tmp_path / "shown").read_text()
    assert "Everybody." in text
    assert "under the" in text


def test_of_a_project_that_asked_nothing_there_is_nothing(repeating) -> None:
    assert queries.queries(repeating.database, "another") == []
