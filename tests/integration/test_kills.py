"""SIGKILL of each program in turn, in the middle of a training job.

The job goes on from its last checkpoint, or ends with a reason, within a minute of the restart; no ledger shows less
than what was released; the next job works.
"""

from __future__ import annotations

import pytest
from flip_sdk.contract.states import JobState

from tests.integration.researcher import (
    debited_steps,
    project_of,
    received,
    start_training,
    wait_for_end,
    wait_for_round,
)

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("platform")]
ROUNDS = 30
AFTER_RESTART = 60.0
VICTIMS = (
    *("trust-aldgate", "hub"),
    *(
        pytest.param(victim, marks=pytest.mark.slow)
        for victim in ("dispatcher", "gateway", "engine-aldgate", "governance")
    ),
)


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_program_costs_no_job(story, victim) -> None:
    platform = story.platform
    project = project_of(story)
    job = start_training(project, ROUNDS, epsilon=1.0)
    wait_for_round(platform, job, 3)

    killed = platform.kill(victim)

    platform.wait_until(lambda: back(platform, victim, killed), 60, f"{victim} starts again", log="hub")
    platform.wait_for_hub()
    state = wait_for_end(platform, job, AFTER_RESTART + 30)
    assert state == JobState.COMPLETED or (state == JobState.FAILED and job.view.reason), state
    for trust in story.trusts:
        assert debited_steps(platform, trust, job) >= received(platform, trust, job)
    story.wait_for_consent()


def test_after_all_that_the_next_job_completes(story) -> None:
    job = start_training(project_of(story), 3, epsilon=1.0)

    assert wait_for_end(story.platform, job, 90) == JobState.COMPLETED, job.view.reason


def back(platform, victim: str, killed: list[int]) -> bool:
    """Whether there is a new one; an engine may be kept ready before it is needed again."""
    now = platform.pids(victim)
    return bool(now) and not set(killed) & set(now)
