"""The main job over two real Trusts: hub, gateway, dispatcher and agents as programs, Flower in between."""

from __future__ import annotations

import pytest
from flip_sdk.contract.states import JobState

from demo.people import PROJECT
from demo.processes import PlatformError
from tests.integration.researcher import (
    debited_steps,
    ledger,
    project_of,
    read,
    received,
    start_training,
    wait_for_end,
)

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("platform")]
ROUNDS = 4


@pytest.fixture(scope="module")
def project(story):
    return project_of(story)


@pytest.fixture(scope="module")
def trained(story, project):
    job = start_training(project, ROUNDS, epsilon=1.0)
    assert wait_for_end(story.platform, job, 120) == JobState.COMPLETED, job.view.reason
    return job


def test_a_count_is_noisy_rounded_and_costs_budget(story, project) -> None:
    before = ledger(story.platform, "aldgate")["budgets"][0]["spent"]

    counts = project.count(epsilon=0.5)

    assert {row["trust"] for row in counts.iter_rows(named=True)} >= set(story.trusts)
    assert ledger(story.platform, "aldgate")["budgets"][0]["spent"] > before


def test_a_count_that_is_asked_again_has_the_same_answer_and_costs_nothing(story, project) -> None:
    first = project.count(epsilon=0.3).to_dicts()
    spent = ledger(story.platform, "aldgate")["budgets"][0]["spent"]

    assert project.count(epsilon=0.3).to_dicts() == first
    assert ledger(story.platform, "aldgate")["budgets"][0]["spent"] == spent


def test_each_trust_debits_the_whole_job_and_releases_no_more(story, trained) -> None:
    for trust in story.trusts:
        assert received(story.platform, trust, trained) == ROUNDS + 1
        assert debited_steps(story.platform, trust, trained) >= ROUNDS + 1


def test_the_hub_mirrors_what_the_ledgers_say(story, project, trained) -> None:
    def mirrored() -> bool:
        told = {row["trust"]: row["spent"] for row in project.budget().iter_rows(named=True)}
        own = {trust: ledger(story.platform, trust)["budgets"][0]["spent"] for trust in story.trusts}
        return told == pytest.approx(own)

    story.platform.wait_until(mirrored, 30, "the hub hears what was spent")


def test_the_kept_model_is_evaluated_on_held_out_patients(project, trained) -> None:
    figures = project.evaluate(trained.result(), epsilon=1.0).result().figures()

    assert figures.height >= 2


def test_a_trust_that_did_not_opt_in_gets_no_message_at_all(story) -> None:
    project = "only-aldgate"
    story.apply(project)
    story.sign_off(project)
    story.opt_in("aldgate", project)
    story.platform.wait_until(lambda: opted_in(story, project) == {"aldgate"}, 30, "the hub hears of the consent")

    project_of(story, project).count(epsilon=0.5)

    sent = read(
        story.platform.hub_home / "flip.db",
        "SELECT DISTINCT task.trust FROM task JOIN job USING (job_id) WHERE job.project_id = ?",
        project,
    )
    assert sent == [("aldgate",)]
    other = story.platform.trust_home("brookfield") / "trust.db"
    assert read(other, "SELECT count(*) FROM task WHERE project_id = ?", project) == [(0,)]
    # that the project exists is told to each Trust that it names; nothing is asked of it
    told = read(other, "SELECT DISTINCT event FROM audit WHERE details LIKE ?", f"%{project}%")
    assert not [event for (event,) in told if event.startswith("task.")]


def test_a_paused_trust_is_left_out_and_comes_back(story, project) -> None:
    story.platform.flip_trust("brookfield", "consent", "pause", PROJECT)
    try:
        story.platform.wait_until(lambda: opted_in(story, PROJECT) == {"aldgate"}, 30, "the hub hears of the pause")
        counted = {row["trust"] for row in project.count(epsilon=0.2).iter_rows(named=True)}
        assert "brookfield" not in counted
    finally:
        story.platform.flip_trust("brookfield", "consent", "resume", PROJECT)
    story.wait_for_consent()


def test_a_workspace_of_no_project_is_refused(story) -> None:
    assert story.refused_workspace("no-such-project")


def test_both_sides_audit_logs_are_whole(story, trained) -> None:
    story.platform.flip_hub("audit", "verify")
    for trust in story.trusts:
        story.platform.flip_trust(trust, "audit", "verify")


def test_a_log_that_was_tampered_with_is_found(story, trained, tmp_path) -> None:
    export = tmp_path / "audit.jsonl"
    export.write_text(
        story.platform.flip_trust("aldgate", "audit", "export").replace("task.reported", "task.refused", 1)
    )

    with pytest.raises(PlatformError):
        story.platform.flip_trust("aldgate", "audit", "verify", "--file", str(export))


def opted_in(story, project: str) -> set[str]:
    rows = project_of(story, project).budget().iter_rows(named=True)
    return {row["trust"] for row in rows if row["consent"] == "opted in"}
