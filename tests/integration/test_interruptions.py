"""The hub restarts, a Trust pauses, a Trust goes away: in the middle of a training job, with the real programs."""

from __future__ import annotations

import pytest
from flip_sdk.contract.states import JobState

from demo.people import PROJECT
from tests.integration.researcher import (
    debited_steps,
    project_of,
    received,
    start_training,
    wait_for_end,
    wait_for_round,
)

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("platform")]
HUB = ("dispatcher", "hub", "gateway")
ROUNDS = 40


@pytest.mark.slow
def test_the_whole_hub_restarts_and_the_job_goes_on_from_its_last_checkpoint(story) -> None:
    platform = story.platform
    job = start_training(project_of(story), ROUNDS, epsilon=1.0)
    wait_for_round(platform, job, 3)

    platform.stop(*HUB)
    platform.start_hub()

    assert wait_for_end(platform, job, 120) == JobState.COMPLETED, job.view.reason
    for trust in story.trusts:
        assert received(platform, trust, job) == ROUNDS + 1
        assert debited_steps(platform, trust, job) >= ROUNDS + 1


def test_a_trust_that_pauses_in_the_middle_is_left_out_of_the_rounds_after_it(story) -> None:
    platform = story.platform
    job = start_training(project_of(story), ROUNDS, epsilon=1.0)
    wait_for_round(platform, job, 3)

    platform.flip_trust("brookfield", "consent", "pause", PROJECT)
    try:
        assert wait_for_end(platform, job, 120) == JobState.COMPLETED, job.view.reason
        assert 0 < received(platform, "brookfield", job) < received(platform, "aldgate", job) == ROUNDS + 1
        assert debited_steps(platform, "brookfield", job) >= received(platform, "brookfield", job)
    finally:
        platform.flip_trust("brookfield", "consent", "resume", PROJECT)
    story.wait_for_consent()


@pytest.mark.slow
def test_a_trust_that_goes_away_is_waited_for_then_left_out_and_taken_back(story) -> None:
    platform = story.platform
    job = start_training(project_of(story), ROUNDS, epsilon=1.0)
    wait_for_round(platform, job, 3)

    platform.stop("trust-brookfield")
    try:
        assert wait_for_end(platform, job, 120) == JobState.COMPLETED, job.view.reason
        assert 0 < received(platform, "brookfield", job) < received(platform, "aldgate", job) == ROUNDS + 1
    finally:
        platform.start_trust("brookfield")
    counted = project_of(story).count(epsilon=0.2)
    assert {row["trust"] for row in counted.iter_rows(named=True)} >= set(story.trusts)
