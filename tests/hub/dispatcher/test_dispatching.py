"""Whole jobs, from sign-off to their end, against Trusts that sign real answers."""

from __future__ import annotations

import pytest
from flip_hub.audit import export, verify
from flip_hub.database import BlobUse, ModelVersion, Routine, TaskRow
from flip_sdk.contract.features import ClassLabel, LabelClass
from flip_sdk.contract.jobs import DPSGD, Privacy
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.signatures import verify as verify_token
from flip_sdk.contract.states import JOB
from flip_sdk.contract.tasks import SignedOffJob, Task
from flip_sdk.contract.tasks import inputs_digest as inputs_of
from safetensors.numpy import load
from sqlalchemy import select


def test_a_count_asks_every_trust_once_and_completes(hub) -> None:
    hub.submit(hub.count_spec())
    job = hub.run()
    assert job.state == "completed", job.reason
    assert hub.result().counts == dict.fromkeys(hub.trusts, 100)
    assert {name: hub.steps(name) for name in hub.trusts} == {name: [("count", 0)] for name in hub.trusts}
    assert not any(task.graph for task in hub.trusts["aldgate"].tasks)


def test_an_evaluation_makes_figures_for_every_trust_and_for_all(hub) -> None:
    hub.submit(hub.evaluate_spec())
    assert hub.run().state == "completed"
    assert [row.trust for row in hub.result().figures] == [*sorted(hub.trusts), "all"]
    assert hub.result().epsilon == 2.0


def test_an_evaluation_of_several_classes_makes_figures_of_each(hub) -> None:
    among = tuple(LabelClass(condition_concept_ids=(concept,), name=str(concept)) for concept in (3, 4))
    hub.submit(hub.evaluate_spec(label=ClassLabel(among=among, otherwise="well")))
    assert hub.run().state == "completed"
    figures = hub.result().figures
    assert [row.trust for row in figures] == [*sorted(hub.trusts), "all"]
    assert [one.name for one in figures[-1].classes] == ["well", "3", "4"]
    cells = [row.confusion for row in figures]
    assert cells[-1][0][0] == sum(table[0][0] for table in cells[:-1])


@pytest.mark.parametrize("privacy", [Privacy(), Privacy(scaling="public_bounds"), Privacy(mechanism=DPSGD())])
def test_training_goes_through_prepare_and_every_round(hub, privacy) -> None:
    hub.submit(hub.train_spec(privacy=privacy))
    job = hub.run()
    assert job.state == "completed", job.reason
    assert (job.round, job.reason) == (3, "")
    assert hub.steps("aldgate") == [("prepare", 0), ("train", 1), ("train", 2), ("train", 3)]
    result = hub.result()
    assert result.trusts == tuple(hub.trusts)
    assert [row["round"] for row in result.history] == [0, 1, 2, 3]
    assert load(hub.blobs.get(result.model.weights)).keys() == {"weight", "bias"}


def test_a_trained_model_is_kept_with_its_lineage_and_belongs_to_the_project(hub) -> None:
    hub.submit(hub.train_spec())
    hub.run()
    model = hub.result().model
    with hub.database.read() as session:
        kept = session.scalars(select(ModelVersion)).one()
        digests = set(session.scalars(select(BlobUse.digest)))
    assert (kept.graph, kept.weights) == (model.graph, model.weights)
    assert digests == {model.graph, model.weights}
    assert kept.lineage["initial_weights"] == hub.model.weights
    assert len(kept.lineage["updates"]) == 4 * 4
    assert kept.lineage["trusts"] == list(hub.trusts)


def test_the_graph_travels_once_and_the_weights_every_round(hub) -> None:
    hub.submit(hub.train_spec())
    hub.run()
    tasks = hub.trusts["carrick"].tasks
    assert [task.graph is not None for task in tasks] == [True, False, False, False]
    assert [task.weights is not None for task in tasks] == [False, True, True, True]
    assert len({inputs_of(task) for task in tasks}) == 4


def test_every_task_is_signed_by_the_dispatcher_and_carries_the_sign_off(hub) -> None:
    hub.submit(hub.train_spec())
    hub.run()
    for sent in hub.carrier.sent:
        task = verify_token(sent.parts["task"], hub.key.public, Task)
        assert task.trust == sent.trust
        assert verify_token(task.job, hub.governance.public, SignedOffJob).job_id == "job-1"


def test_several_jobs_run_side_by_side(hub) -> None:
    names = [hub.submit(hub.count_spec(), f"count-{number}") for number in range(3)]
    hub.submit(hub.train_spec(), "training")
    hub.run("training")
    assert {hub.job(name).state for name in (*names, "training")} == {"completed"}


def test_events_tell_the_job_in_order_with_numbers_of_noisy_releases_only(hub) -> None:
    hub.submit(hub.train_spec())
    hub.run()
    events = hub.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [e.event for e in events if e.trust is None] == ["job.executing", *["round"] * 4, "job.completed"]
    rounds = [event.numbers for event in events if event.event == "round"]
    assert all(numbers["trusts"] == 4 and numbers["seconds"] >= 0 for numbers in rounds)
    names = ["gradient_norm", "loss_change", "round", "seconds", "trusts"]
    assert [sorted(numbers) for numbers in rounds[1:]] == [names] * 3


def test_every_step_of_a_job_is_in_the_audit_chain(hub) -> None:
    hub.submit(hub.train_spec())
    hub.run()
    with hub.database.read() as session:
        verify(session)
        events = [entry["event"] for entry in export(session) if entry["subject"] == "job/job-1"]
    assert events == ["job.executing", *["tasks.planned", "round.closed"] * 4, "job.completed"]


def test_the_dispatcher_owns_every_step_it_makes(hub) -> None:
    hub.submit(hub.count_spec())
    hub.run()
    made = {("signed_off", "executing"), ("executing", "completed")}
    made |= {(state, end) for state in ("signed_off", "executing") for end in ("cancelled", "failed")}
    owned = {(row.source, row.target) for row in JOB.transitions if row.owner == "dispatcher"}
    assert owned == made


def test_a_job_that_governance_did_not_sign_fails_and_nothing_is_sent(hub) -> None:
    hub.submit(hub.count_spec())
    signed = verify_token(hub.job().signed_job, hub.governance.public, SignedOffJob)
    hub.change_job("job-1", signed_job=SigningKey.generate().sign(signed))
    assert hub.run().state == "failed"
    assert "sign-off" in hub.job().reason
    assert hub.carrier.sent == []


def test_the_sign_off_of_one_job_is_no_good_for_another(hub) -> None:
    hub.submit(hub.count_spec(), "job-1")
    hub.submit(hub.count_spec(epsilon=9.0), "job-2")
    hub.change_job("job-2", signed_job=hub.job("job-1").signed_job)
    hub.run("job-1")
    assert hub.run("job-2").state == "failed"


def test_a_job_whose_model_is_gone_fails_with_a_reason(hub) -> None:
    hub.submit(hub.train_spec())
    hub.blobs.path(hub.model.graph).unlink()
    assert hub.run().state == "failed"
    assert hub.carrier.sent == []


def test_a_fault_in_one_job_ends_it_and_leaves_the_others_alone(hub, monkeypatch) -> None:
    hub.submit(hub.count_spec(), "good")
    hub.submit(hub.train_spec(), "bad")
    monkeypatch.setattr("flip_hub.dispatcher.closing.arithmetic.begin", lambda *_: 1 / 0)
    assert hub.run("bad").state == "failed"
    assert hub.run("good").state == "completed"


def test_tasks_that_are_over_are_not_left_open(hub) -> None:
    hub.submit(hub.train_spec())
    hub.run()
    with hub.database.read() as session:
        assert set(session.scalars(select(TaskRow.state))) == {"answered"}


def test_a_suspended_project_stops_its_jobs(hub) -> None:
    hub.trusts["aldgate"].silent = True
    hub.submit(hub.train_spec())
    hub.turn()
    with hub.database.write(Routine("a test")) as session:
        from flip_hub.database import Project

        session.scalars(select(Project)).one().state = "suspended"
    job = hub.run(seconds=0.6)
    assert job.state == "failed"
    assert "suspended" in job.reason
