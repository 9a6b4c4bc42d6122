from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.states import JobState
from flip_sdk.contract.statistics import (
    AgeBands,
    CoxRegression,
    CrossTable,
    FollowUp,
    LogisticRegression,
    Mean,
    Predictors,
    is_pure,
)
from flip_sdk.contract.tasks import RefusalCode
from safetensors.numpy import load, save

PROJECT = "breast-cytology"
RADIUS = Feature(concept_id=1, low=0, high=10, name="radius")
TABLE = CrossTable(by=(AgeBands(starts=(40, 60)),))
LOGISTIC = LogisticRegression(
    outcome=Label(condition_concept_ids=(3,)), predictors=Predictors(measurements=(RADIUS,)), rounds=4
)
COX = CoxRegression(follow_up=FollowUp(maximum_days=90), predictors=Predictors(measurements=(RADIUS,)), rounds=2)


def spec(question) -> StatisticsSpec:
    delta = 0.0 if is_pure(question) else 1e-5
    return StatisticsSpec(project_id=PROJECT, question=question, epsilon=1.0, delta=delta)


@pytest.mark.parametrize("question", [TABLE, Mean(measurements=(RADIUS,))], ids=lambda question: question.kind)
def test_a_question_of_one_release_is_one_round(hub, question) -> None:
    hub.submit(spec(question))
    job, result = hub.run(), hub.result()

    assert job.state == JobState.COMPLETED
    assert {trust: hub.steps(trust) for trust in hub.trusts} == {trust: [("statistics", 0)] for trust in hub.trusts}
    assert {e.trust for e in result.statistics} == {*hub.trusts, "all"}
    assert result.kind == "statistics"
    assert result.trusts == tuple(sorted(hub.trusts))
    assert result.provenance["mechanism"].startswith("discrete Laplace" if is_pure(question) else "Gaussian")


@pytest.mark.parametrize(("question", "rounds"), [(LOGISTIC, 4), (COX, 2)], ids=["logistic", "cox"])
def test_a_regressions_coefficients_travel_from_round_to_round(hub, question, rounds) -> None:
    hub.submit(spec(question))
    job = hub.run()
    sent = [message.parts for message in hub.carrier.sent if message.trust == "aldgate"]

    assert job.state == JobState.COMPLETED
    assert hub.steps("aldgate") == [("statistics", number) for number in range(rounds)]
    assert ["weights" in parts for parts in sent] == [False] + [True] * (rounds - 1)
    assert len({load(parts["weights"])["coefficients"].tobytes() for parts in sent[1:]}) == rounds - 1
    assert {e.trust for e in hub.result().statistics} == {*hub.trusts, "all"}
    assert not any("graph" in parts for parts in sent)


def test_a_dispatcher_that_is_killed_between_rounds_goes_on_from_the_checkpoint(hub, hub_class, tmp_path) -> None:
    hub.submit(spec(LOGISTIC))
    hub.turn_until(lambda: len(hub.steps("aldgate")) == 3)
    hub.new_dispatcher()
    hub.run()
    (tmp_path / "other").mkdir()
    other = hub_class(tmp_path / "other")
    other.submit(spec(LOGISTIC))
    other.run()

    assert hub.result().statistics == other.result().statistics
    assert all(len(set(hub.steps(trust))) == 4 for trust in hub.trusts)
    other.database.close()


def test_a_trust_that_refuses_is_told_and_left_out(hub) -> None:
    hub.trusts["carrick"].refuse = lambda _: RefusalCode.UNKNOWN_CONCEPT
    hub.submit(spec(TABLE))
    hub.run()
    result = hub.result()

    assert [(r.trust, r.code) for r in result.refusals] == [("carrick", RefusalCode.UNKNOWN_CONCEPT)]
    assert "carrick" not in {e.trust for e in result.statistics}


def test_a_job_that_every_trust_refuses_fails(hub) -> None:
    for trust in hub.trusts.values():
        trust.refuse = lambda _: RefusalCode.COHORT_TOO_SMALL
    hub.submit(spec(LOGISTIC))

    assert hub.run().state == JobState.FAILED


def test_an_answer_of_another_shape_is_not_accepted(hub) -> None:
    def bent(parts):
        hub.trusts["aldgate"].tamper = dict
        return {**parts, "tensors": save({"cells": np.append(load(parts["tensors"])["cells"], 1e9)})}

    hub.trusts["aldgate"].tamper = bent
    hub.submit(spec(TABLE))
    hub.run()

    assert any("asked again" in words for words in hub.words())
    assert len([e for e in hub.result().statistics if e.trust == "aldgate"]) == 5
