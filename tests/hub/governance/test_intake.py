"""Jobs: every violation at once, or one signed-off job."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flip_hub.database import Job, JobEventRow, Project, Routine, now
from flip_hub.errors import ConflictError, DeniedError, MissingError, NotNowError
from flip_hub.governance import intake, jobs
from flip_hub.keys import signing_key
from flip_hub.models import allow_blob
from flip_sdk.accounting.calibrate import calibrate
from flip_sdk.accounting.events import Gaussian
from flip_sdk.contract.api import JobView, SubmitJob
from flip_sdk.contract.cohorts import Cohort, HasCondition, MeasurementBetween, SexIs
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.graph import GraphRecord, Node, Ref, TensorSpec, Weight
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, ModelRef, Privacy, TrainSpec
from flip_sdk.contract.notices import BudgetLine, LedgerEntry, TotalLine
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import verify
from flip_sdk.contract.states import JobState
from flip_sdk.contract.tasks import SignedOffJob
from flip_sdk.errors import SpecError
from sqlalchemy import select

FEATURES = (
    Feature(concept_id=2_000_000_001, low=0, high=40),
    Feature(concept_id=2_000_000_002, low=0, high=60),
)
LABEL = Label(condition_concept_ids=(2_000_000_101,))
WEIGHTS = (
    (header := b'{"weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}').__len__().to_bytes(8, "little")
    + header
    + bytes(8)
)


def _graph(op: str = "aten.linear.default") -> bytes:
    out = TensorSpec(shape=(1, 1), dtype="float32")
    return GraphRecord(
        input=TensorSpec(shape=(1, 2), dtype="float32"),
        weights=(Weight(shape=(1, 2), dtype="float32", key="weight", trained=True),),
        nodes=(Node(op=op, args=(Ref(value=0), Ref(value=1), None), results=(out,)),),
        output=2,
    ).canonical()


def _keep(hub, project_id: str = "cytology", graph: bytes | None = None) -> ModelRef:
    contents = (graph or _graph(), WEIGHTS)
    digests = [hub.office.blobs.put(content) for content in contents]
    with hub.office.database.write(Routine("a test uploads")) as session:
        for address, content in zip(digests, contents, strict=True):
            allow_blob(session, project_id, address, len(content), "ada", inside=True, outside=True)
    return ModelRef(graph=digests[0], weights=digests[1])


def _train(hub, model: ModelRef | None = None, **changes: Any) -> SubmitJob:
    content: dict[str, Any] = {
        "project_id": "cytology",
        "features": FEATURES,
        "label": LABEL,
        "model": model or _keep(hub),
    }
    return SubmitJob(spec=TrainSpec(**(content | changes)), idempotency_key="k1")


def _submit(hub, wanted: SubmitJob, name: str = "ada", project_id: str = "cytology") -> JobView:
    return intake.submit_job(hub.office, hub.who(name), project_id, wanted)


def _rules(hub, wanted: SubmitJob) -> set[str]:
    with pytest.raises(SpecError) as caught:
        _submit(hub, wanted)
    with hub.office.database.read() as session:
        assert session.scalars(select(Job)).all() == []
    assert hub.events()[-1] == "job.refused"
    return {violation.rule for violation in caught.value.violations}


def test_a_job_inside_the_envelope_is_signed_off(hub) -> None:
    hub.ready()
    view = _submit(hub, _train(hub))
    assert (view.state, view.trusts, view.rounds) == (JobState.SIGNED_OFF, ("aldgate", "brookfield"), 20)
    with hub.office.database.read() as session:
        job = session.get_one(Job, view.job_id)
        words = [row.event for row in session.scalars(select(JobEventRow).order_by(JobEventRow.sequence))]
    order = verify(job.signed_job, signing_key(hub.office.config, "governance").public, SignedOffJob)
    assert order.spec == job.spec
    assert order.trusts == view.trusts
    assert order.signed_off_by == ("rufus", "mina")
    assert timedelta(hours=23) < order.expires_at - now() <= timedelta(hours=24)
    assert words == ["job.submitted", "job.validated", "job.signed_off"]
    assert hub.events()[-3:] == words


def test_a_sign_off_ends_with_its_project(hub) -> None:
    hub.ready(expires_at=now() + timedelta(hours=2))
    view = _submit(hub, hub.count())
    with hub.office.database.read() as session:
        job = session.get_one(Job, view.job_id)
    order = verify(job.signed_job, signing_key(hub.office.config, "governance").public, SignedOffJob)
    assert order.expires_at == order.project_expires_at


def test_a_job_goes_to_trusts_that_opted_in_only(hub) -> None:
    hub.ready()
    hub.notice(hub.trusts["brookfield"].consent("cytology", state="paused"))
    assert _submit(hub, hub.count()).trusts == ("aldgate",)
    assert _rules_for_named(hub, "brookfield") == {"trust_not_opted_in"}


def _rules_for_named(hub, trust: str) -> set[str]:
    with pytest.raises(SpecError) as caught:
        _submit(hub, hub.count(key="k2", trusts=(trust,)))
    return {violation.rule for violation in caught.value.violations}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "paused"}, "paused"),
        ({"state": "left"}, "left"),
        ({"job_kinds": ("train",)}, "did not allow count"),
        ({"expires_at": now() - timedelta(minutes=1)}, "expired"),
    ],
)
def test_no_trust_left_refuses_with_the_reason(hub, changes: dict[str, Any], words: str) -> None:
    hub.ready()
    for trust in hub.trusts.values():
        hub.notice(trust.consent("cytology", **changes))
    with pytest.raises(SpecError) as caught:
        _submit(hub, hub.count())
    (violation,) = caught.value.violations
    assert violation.rule == "no_trust"
    assert words in violation.message


def test_a_project_that_no_trust_opted_in_to(hub) -> None:
    hub.approved()
    assert _rules(hub, hub.count()) == {"no_trust"}


def test_the_same_key_gives_the_same_job(hub) -> None:
    hub.ready()
    first = _submit(hub, hub.count())
    assert _submit(hub, hub.count()).job_id == first.job_id
    assert _submit(hub, hub.count(key="k2")).job_id != first.job_id
    with pytest.raises(ConflictError):
        _submit(hub, hub.count(epsilon=0.7))


def test_the_same_key_at_once_gives_one_job(hub) -> None:
    hub.ready()
    with ThreadPoolExecutor(4) as pool:
        views = list(pool.map(lambda _: _submit(hub, hub.count()), range(4)))
    assert len({view.job_id for view in views}) == 1
    assert hub.events().count("job.signed_off") == 1


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"features": (Feature(concept_id=9, low=0, high=1), FEATURES[1])}, {"unknown_concept"}),
        ({"label": Label(condition_concept_ids=(9,))}, {"unknown_concept"}),
        ({"label": Label(condition_concept_ids=(2_000_000_001,))}, {"unknown_concept"}),
        ({"cohort": Cohort(criteria=(HasCondition(concept_ids=(9,)),))}, {"unknown_concept"}),
        ({"cohort": Cohort(criteria=(SexIs(concept_ids=(9,)),))}, {"unknown_concept"}),
        ({"cohort": Cohort(criteria=(MeasurementBetween(concept_id=9, low=0, high=1),))}, {"unknown_concept"}),
        ({"privacy": Privacy(epsilon=11)}, {"epsilon_over_project", "budget_too_small"}),
        ({"privacy": Privacy(delta=1e-3), "min_trusts": 3}, {"delta_over_project", "too_few_trusts"}),
        ({"trusts": ("elsewhere",)}, {"trust_not_in_application"}),
        ({"min_trusts": 3}, {"too_few_trusts"}),
        ({"model": ModelRef(graph=digest(b"x"), weights=digest(b"y"))}, {"blob_missing"}),
        ({"features": FEATURES[:1]}, {"bad_model"}),
        ({"loss": "cross_entropy"}, {"bad_model"}),
        ({"project_id": "other"}, {"other_project", "blob_missing"}),
        ({"features": (FEATURES[0], FEATURES[0]), "rounds": 1}, {"repeated_feature", "too_few_rounds"}),
    ],
)
def test_violations(hub, changes: dict[str, Any], rules: set[str]) -> None:
    hub.ready()
    assert _rules(hub, _train(hub, **changes)) == rules


def test_an_unknown_concept_is_named(hub) -> None:
    hub.ready()
    with pytest.raises(SpecError) as caught:
        _submit(hub, _train(hub, features=(FEATURES[0], Feature(concept_id=777, low=0, high=1))))
    (violation,) = caught.value.violations
    assert violation.where == "features[1]"
    assert "777" in violation.message


def test_an_operator_outside_the_list_is_refused(hub) -> None:
    hub.ready()
    assert _rules(hub, _train(hub, _keep(hub, graph=_graph("os.system")))) == {"bad_model"}


def test_a_model_of_another_project_does_not_exist_here(hub) -> None:
    hub.ready()
    hub.ready("other", owner="bea", organisation="Southport University")
    model = _keep(hub, "other")
    with pytest.raises(SpecError) as caught:
        _submit(hub, _train(hub, model))
    assert {violation.rule for violation in caught.value.violations} == {"blob_missing"}


def _told(hub, events: dict, *, epsilon: float = 10.0, alone: float = 40.0, total: float = 100.0) -> None:
    """Aldgate's sign of life: what its ledger holds for the project, and for its whole data set."""
    entries = tuple(LedgerEntry(event=event, times=times) for event, times in events.items())
    line = BudgetLine(
        project_id="cytology", epsilon=epsilon, epsilon_alone=alone, delta=1e-5, entries=entries, releases=3
    )
    caps = {"epsilon": total, "epsilon_alone": 4 * total, "delta": 1e-5, "max_epsilon_per_job": 10.0}
    hub.notice(hub.trusts["aldgate"].status(budgets=(line,), total=TotalLine(entries=entries, **caps)))


def test_a_budget_that_is_too_small_says_what_it_would_be_at(hub) -> None:
    hub.ready()
    _told(hub, {Gaussian(noise_multiplier=0.5): 1})
    with pytest.raises(SpecError) as caught:
        _submit(hub, _train(hub))
    (violation,) = caught.value.violations
    assert violation.rule == "budget_too_small"
    assert "aldgate would refuse it: the project's budget would be at" in violation.message
    assert _submit(hub, _train(hub, trusts=("brookfield",))).trusts == ("brookfield",)


def test_a_job_that_composition_allows_is_not_refused_for_what_adding_up_would_say(hub) -> None:
    """Five jobs of ε 3 cost less than 10 in all, where their sum would be 15."""
    hub.ready()
    events = [debit.event for debit in calibrate(_train(hub).spec)]
    _told(hub, dict.fromkeys(events, 9))
    assert _rules(hub, _train(hub)) == {"budget_too_small"}
    _told(hub, dict.fromkeys(events, 4))
    assert _submit(hub, _train(hub)).state is JobState.SIGNED_OFF


def test_the_whole_data_sets_budget_counts_as_well(hub) -> None:
    hub.ready()
    _told(hub, {}, total=2.9)
    assert _rules(hub, _train(hub)) == {"budget_too_small"}
    _told(hub, {}, total=3.0)
    assert _submit(hub, _train(hub)).state is JobState.SIGNED_OFF


def test_caps_of_a_newer_opt_in_count(hub) -> None:
    hub.ready()
    _told(hub, {}, epsilon=2.0)
    assert _rules(hub, _train(hub)) == {"budget_too_small"}
    hub.notice(hub.trusts["aldgate"].consent("cytology", epsilon=5.0))
    assert _submit(hub, _train(hub)).state is JobState.SIGNED_OFF


def test_an_evaluation_is_checked_like_training(hub) -> None:
    hub.ready()
    spec = EvaluateSpec(project_id="cytology", features=FEATURES, label=LABEL, model=_keep(hub))
    assert _submit(hub, SubmitJob(spec=spec, idempotency_key="e1")).state is JobState.SIGNED_OFF


@pytest.mark.parametrize(
    ("name", "error"),
    [("bea", MissingError), ("rufus", DeniedError), ("olga", DeniedError)],
)
def test_only_the_team_submits(hub, name: str, error: type[Exception]) -> None:
    hub.ready()
    with pytest.raises(error):
        _submit(hub, hub.count(), name)


@pytest.mark.parametrize("bring", ["draft", "submitted", "expired"])
def test_only_approved_projects_run_jobs(hub, bring: str) -> None:
    getattr(hub, bring)()
    with pytest.raises(NotNowError):
        _submit(hub, hub.count())


def test_a_project_that_expires_on_the_way_is_refused(hub) -> None:
    hub.ready()
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        session.get_one(Project, "cytology").expires_at = now()
    with pytest.raises(NotNowError):
        _submit(hub, hub.count())


def test_cancelling_asks_the_dispatcher(hub) -> None:
    hub.ready(team=("alan",))
    view = _submit(hub, hub.count())
    intake.cancel_job(hub.office, hub.who("alan"), view.job_id)
    with hub.office.database.read() as session:
        assert session.get_one(Job, view.job_id).cancel_requested
    for name, error in (("bea", MissingError), ("rufus", DeniedError)):
        with pytest.raises(error):
            intake.cancel_job(hub.office, hub.who(name), view.job_id)


def test_a_job_that_ended_stays_as_it_is(hub) -> None:
    hub.ready()
    view = _submit(hub, hub.count())
    with hub.office.database.write(Routine("a test plays the dispatcher")) as session:
        session.get_one(Job, view.job_id).state = JobState.COMPLETED
    assert intake.cancel_job(hub.office, hub.who("ada"), view.job_id).state is JobState.COMPLETED
    with hub.office.database.read() as session:
        assert not session.get_one(Job, view.job_id).cancel_requested


def test_a_result_is_there_when_it_is(hub) -> None:
    hub.ready()
    view = _submit(hub, hub.count())
    with hub.office.database.read() as session, pytest.raises(ConflictError):
        jobs.result(hub.office, session, hub.who("ada"), view.job_id)


def test_count_specs_need_no_model(hub) -> None:
    hub.ready()
    spec = CountSpec(project_id="cytology", cohort=Cohort(criteria=(SexIs(concept_ids=(2_000_000_201,)),)))
    assert _submit(hub, SubmitJob(spec=spec, idempotency_key="c1")).rounds == 1
