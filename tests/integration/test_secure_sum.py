"""Jobs whose noise four real Trusts share, through Flower: complete, undisturbed, and with a Trust that goes away.

A platform of its own: here every Trust's operator has confirmed the other Trusts' keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from flip_hub.models import BlobStore
from flip_sdk.contract.jobs import DistributedNoise
from flip_sdk.contract.states import JobState
from safetensors.numpy import load

from demo.story import Story
from tests.integration.researcher import (
    debited_steps,
    ledger,
    project_of,
    read,
    start_training,
    wait_for_end,
    wait_for_round,
)

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.xdist_group("shared-noise")]
ROUNDS = 30
SHARED = DistributedNoise(spare_rounds=2)
PATIENCE = 8.0
EPSILON = 3.5
"""So much that the smallest Trust's noisy look at its floor does not say no."""


@pytest.fixture(scope="module")
def four(new_story: Callable[..., Story]) -> Story:
    """Four Trusts that opted in to both trust models and know each other's keys. Each starts an engine when asked."""
    environ = {"FLIP_HUB_PATIENCE_SECONDS": str(PATIENCE), "FLIP_TRUST_SPARE_WORKERS": "0"}
    story = new_story(4, environ=environ)
    story.confirm_peers()
    return story


def tries(platform, job) -> list[tuple[str, int, int, list[str]]]:
    """Each change of who is summed, as the hub recorded it."""
    query = "SELECT step, round, attempt, trusts FROM shared_sum WHERE job_id = ? ORDER BY step, round, attempt"
    rows = read(platform.hub_home / "flip.db", query, job.id)
    return [(step, number, attempt, json.loads(trusts)) for step, number, attempt, trusts in rows]


def released(platform, trust: str, job) -> int:
    """How many sums a Trust put its numbers into, by its own record."""
    query = "SELECT count(*) FROM release WHERE job_id = ? AND step IN ('prepare', 'train')"
    return int(read(platform.trust_home(trust) / "trust.db", query, job.id)[0][0])


def test_a_job_with_shared_noise_completes_and_the_hub_has_nothing_of_one_trust(four) -> None:
    platform = four.platform
    job = start_training(project_of(four), ROUNDS, epsilon=EPSILON, trust_model=SHARED)

    assert wait_for_end(platform, job, 120) == JobState.COMPLETED, job.view.reason

    assert tries(platform, job) == [("prepare", 0, 1, sorted(four.trusts))]
    query = "SELECT step, tensors FROM received_update WHERE job_id = ?"
    rows = read(platform.hub_home / "flip.db", query, job.id)
    assert sum(step == "keys" for step, _ in rows) == len(four.trusts)
    blobs = BlobStore(platform.hub_home / "blobs")
    vectors = [load(blobs.get(tensors)) for step, tensors in rows if step != "keys"]
    assert len(vectors) == len(four.trusts) * (ROUNDS + 1)
    assert all(list(tensors) == ["masked"] and tensors["masked"].dtype == np.uint64 for tensors in vectors)
    for trust in four.trusts:
        assert debited_steps(platform, trust, job) >= released(platform, trust, job) == ROUNDS + 1


def test_a_killed_agent_costs_one_round_at_most(four) -> None:
    platform = four.platform
    job = start_training(project_of(four), ROUNDS, epsilon=EPSILON, trust_model=SHARED)
    wait_for_round(platform, job, 5)

    platform.kill("trust-carrick")

    assert wait_for_end(platform, job, 120) == JobState.COMPLETED, job.view.reason
    again = [row for row in tries(platform, job) if row[2] > 1]
    assert len(again) <= 1
    history = job.result().record.history
    assert [row["round"] for row in history] == list(range(ROUNDS + 1))
    for trust in four.trusts:
        assert debited_steps(platform, trust, job) >= released(platform, trust, job)
    four.wait_for_consent()


def test_a_trust_that_goes_away_costs_one_round_and_the_rest_complete(four) -> None:
    platform = four.platform
    job = start_training(project_of(four), ROUNDS, epsilon=EPSILON, trust_model=SHARED)
    wait_for_round(platform, job, 5)

    platform.stop("trust-brookfield")
    try:
        assert wait_for_end(platform, job, 120) == JobState.COMPLETED, job.view.reason
        others = sorted(set(four.trusts) - {"brookfield"})
        changes = tries(platform, job)
        assert len(changes) == 2
        assert changes[1][3] == others
        assert changes[1][2] <= 2
        for trust in others:
            assert released(platform, trust, job) <= ROUNDS + 2
            assert debited_steps(platform, trust, job) >= released(platform, trust, job)
        assert job.result().record.history[-1]["trusts"] == 3
    finally:
        platform.start_trust("brookfield")
    four.wait_for_consent()


def test_the_ledger_tells_both_figures_of_a_shared_job(four) -> None:
    purposes = {line["purpose"] for line in ledger(four.platform, "aldgate")["events"]}
    assert {"floor", "prepare", "train"} <= purposes
