"""Jobs that a person decides on: which they are, who decides, and what can never be decided away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flip_hub.database import Job, Project, Routine, SignOff, now
from flip_hub.errors import ConflictError, DeniedError, InvalidError, MissingError, NotNowError
from flip_hub.governance import deciding, evidence, intake, jobs, projects, reviews
from flip_hub.keys import signing_key
from flip_sdk.contract.api import JobView
from flip_sdk.contract.applications import DataAsked, JobDecision, Review, SignOffRule
from flip_sdk.contract.cohorts import Cohort, HasCondition
from flip_sdk.contract.jobs import CountSpec
from flip_sdk.contract.signatures import verify
from flip_sdk.contract.states import JobState
from flip_sdk.contract.tasks import SignedOffJob
from flip_sdk.errors import SpecError
from sqlalchemy import event

from tests.hub.conftest import TRUSTS

APPROVE = JobDecision(decision="approve", declares="none", reason="The purpose covers it.")
REFUSE = JobDecision(decision="refuse", declares="none", reason="Ask for less.")


def _waits(hub, key: str = "k1", **changes: Any) -> JobView:
    """A count that the application does not name."""
    if not hub.events().count("project.approved"):
        hub.ready(job_kinds=("train",))
    return intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count(key=key, **changes))


def _decide(hub, job: JobView, decision: JobDecision = APPROVE, who: str = "rufus") -> JobView:
    return deciding.decide(hub.office, hub.who(who), job.job_id, decision)


def _order(hub, job: JobView) -> SignedOffJob:
    with hub.office.database.read() as session:
        signed = session.get_one(Job, job.job_id).signed_job
    return verify(signed, signing_key(hub.office.config, "governance").public, SignedOffJob)


def _events(hub, job: JobView) -> list[str]:
    with hub.office.database.read() as session:
        return [e.event for e in jobs.events_after(session, session.get_one(Job, job.job_id), 0).events]


def test_a_job_outside_of_the_application_waits_and_nothing_is_signed(hub) -> None:
    job = _waits(hub)
    assert job.state is JobState.VALIDATED
    assert "approved for: train" in job.reason
    with hub.office.database.read() as session:
        assert session.get_one(Job, job.job_id).signed_job == ""
    assert hub.events()[-3:] == ["job.submitted", "job.validated", "job.decision_asked"]


def test_a_reviewer_signs_it_off_by_name(hub) -> None:
    job = _decide(hub, _waits(hub))
    order = _order(hub, job)
    assert (job.state, job.reason) == (JobState.SIGNED_OFF, "")
    assert (order.signed_off, order.signed_off_by, order.trusts) == ("person", ("rufus",), TRUSTS)
    assert order.expires_at <= now() + timedelta(hours=24)
    assert _events(hub, job) == ["job.submitted", "job.validated", "job.signed_off"]
    assert hub.events()[-1] == "job.signed_off"


def test_an_automatic_one_reads_as_before_people_decided(hub) -> None:
    hub.ready()
    order = _order(hub, intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count()))
    assert order.signed_off == "automatic"
    assert b'signed_off"' not in order.canonical()


def test_a_reviewer_refuses_it_with_a_reason(hub) -> None:
    job = _decide(hub, _waits(hub), REFUSE)
    assert job.state is JobState.REJECTED
    assert "Ask for less." in job.reason
    assert hub.events()[-1] == "job.rejected"
    with pytest.raises(ConflictError):
        _decide(hub, job)


@pytest.mark.parametrize("who", ["ada", "nora", "olga", "sam"])
def test_only_a_reviewer_of_another_organisation_decides(hub, who: str) -> None:
    job = _waits(hub)
    with pytest.raises((DeniedError, MissingError)):
        _decide(hub, job, who=who)
    with hub.office.database.read() as session:
        assert session.get_one(Job, job.job_id).state == JobState.VALIDATED


def test_one_with_a_conflict_steps_aside_for_good_and_another_decides(hub) -> None:
    job = _waits(hub)
    conflict = JobDecision(decision="approve", declares="conflict", conflict="We share a grant.")
    assert _decide(hub, job, conflict).state is JobState.VALIDATED
    assert hub.events()[-1] == "job.conflict_declared"
    with pytest.raises(DeniedError):
        _decide(hub, job)
    assert _decide(hub, job, who="rose").state is JobState.SIGNED_OFF


@pytest.mark.parametrize(
    "changes", [{"declares": None}, {"declares": "conflict"}, {"reason": " "}, {"decision": "refuse", "reason": ""}]
)
def test_a_decision_is_whole(hub, changes: dict[str, Any]) -> None:
    job = _waits(hub)
    with pytest.raises(InvalidError):
        _decide(hub, job, APPROVE.model_copy(update=changes))


def test_what_a_trusts_consent_excludes_is_not_decided_on(hub) -> None:
    """Neither a kind that no steward allowed, nor more than a Trust's budget: nobody at the hub may set that aside."""
    hub.ready(job_kinds=("train",))
    for trust in hub.trusts.values():
        hub.notice(trust.consent("cytology", job_kinds=("train",)))
    with pytest.raises(SpecError) as caught:
        _waits(hub)
    assert {one.rule for one in caught.value.violations} == {"job_kind_not_in_application", "no_trust"}
    with pytest.raises(SpecError):
        _waits(hub, epsilon=11.0)


def test_a_consent_that_went_meanwhile_narrows_what_is_signed_and_nothing_widens_it(hub) -> None:
    job = _waits(hub, trusts=())
    hub.notice(hub.trusts["brookfield"].consent("cytology", state="left"))
    assert _order(hub, _decide(hub, job)).trusts == ("aldgate",)
    late = _waits(hub, key="k2")
    hub.notice(hub.trusts["brookfield"].consent("cytology"))
    assert _order(hub, _decide(hub, late)).trusts == ("aldgate",)


def test_a_job_that_no_trust_takes_any_more_cannot_be_signed_off(hub) -> None:
    job = _waits(hub)
    for trust in hub.trusts.values():
        hub.notice(trust.consent("cytology", state="paused"))
    with pytest.raises(ConflictError):
        _decide(hub, job)
    assert _decide(hub, job, REFUSE).state is JobState.REJECTED


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        ("outside", JobState.SIGNED_OFF, JobState.SIGNED_OFF),
        ("first_of_kind", JobState.VALIDATED, JobState.SIGNED_OFF),
        ("every", JobState.VALIDATED, JobState.VALIDATED),
    ],
)
def test_reviewers_say_which_jobs_a_person_decides_on(
    hub, rule: SignOffRule, first: JobState, second: JobState
) -> None:
    hub.submitted()
    for reviewer, asked in (("rufus", rule), ("mina", "outside")):
        decision = Review(decision="approve", declares="none", sign_off=asked)
        reviews.review(hub.office, hub.who(reviewer), "cytology", decision)
    assert {one.sign_off for one in projects.show(hub.office, hub.who("ada"), "cytology").reviews} == {rule, "outside"}
    hub.sign()
    for trust in hub.trusts.values():
        hub.notice(trust.consent("cytology"))
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    assert job.state is first
    if first is JobState.VALIDATED:
        _decide(hub, job)
    assert intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count(key="k2")).state is second


def test_data_that_was_not_asked_for_needs_a_person(hub) -> None:
    asked = tuple(DataAsked(trust=t, what="Cytology", why="To train on", domains=("measurements",)) for t in TRUSTS)
    hub.ready(data=asked)
    ill = Cohort(criteria=(HasCondition(concept_ids=(2_000_000_101,)),))
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count(cohort=ill))
    assert job.state is JobState.VALIDATED
    assert "conditions" in job.reason
    assert intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count(key="k2")).state is JobState.SIGNED_OFF


def test_an_undecided_job_ends(hub) -> None:
    job = _waits(hub)
    assert deciding.end_due(hub.office.database) == []
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        session.get_one(SignOff, job.job_id).decide_by = now() - timedelta(seconds=1)
    with pytest.raises(ConflictError):
        _decide(hub, job)
    with hub.office.database.read() as session:
        assert deciding.waiting(hub.office, session, hub.who("rufus")) == []
    assert deciding.end_due(hub.office.database) == [job.job_id]
    with hub.office.database.read() as session:
        assert session.get_one(Job, job.job_id).state == JobState.REJECTED


def test_its_researcher_cancels_it_at_once(hub) -> None:
    job = intake.cancel_job(hub.office, hub.who("ada"), _waits(hub).job_id)
    assert job.state is JobState.CANCELLED
    assert job.ended_at is not None
    with pytest.raises(ConflictError):
        _decide(hub, job)


def test_a_suspended_projects_waiting_jobs_are_not_decided_on_and_end(hub) -> None:
    job = _waits(hub)
    projects.change_state(hub.office, hub.who("olga"), "cytology", "suspended", "A complaint.")
    with pytest.raises(NotNowError):
        _decide(hub, job)
    assert deciding.end_due(hub.office.database) == [job.job_id]


def test_reviewers_who_may_decide_find_it_waiting(hub) -> None:
    job = _waits(hub)
    with hub.office.database.read() as session:
        assert [row.job_id for row, _ in deciding.waiting(hub.office, session, hub.who("rufus"))] == [job.job_id]
        for name in ("nora", "ada", "olga"):
            assert deciding.waiting(hub.office, session, hub.who(name)) == []


def test_what_waits_is_found_in_as_many_queries_however_much_it_is(hub) -> None:
    _waits(hub)
    asked = []
    event.listen(hub.office.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    with hub.office.database.read() as session:
        assert len(deciding.waiting(hub.office, session, hub.who("rufus"))) == 1
    alone = len(asked)
    for name in ("second", "third"):
        hub.ready(name, job_kinds=("train",))
        intake.submit_job(hub.office, hub.who("ada"), name, hub.count(name))
    asked.clear()
    with hub.office.database.read() as session:
        assert len(deciding.waiting(hub.office, session, hub.who("rufus"))) == 3
    assert len(asked) == alone


def test_the_evidence_says_what_trusts_will_still_refuse_and_what_is_different(hub) -> None:
    first = _decide(hub, _waits(hub))
    job = _waits(hub, key="k2", epsilon=0.75)
    hub.notice(hub.trusts["brookfield"].consent("cytology", job_kinds=("train",)))
    with hub.office.database.read() as session:
        project, row = session.get_one(Project, "cytology"), session.get_one(Job, job.job_id)
        shown = evidence.evidence(hub.office, session, project, row)
    refused = {part.budget.trust: part.refuses for part in shown.trusts}
    assert refused["aldgate"] == ()
    assert len(refused["brookfield"]) == 1
    near, changes = shown.nearest
    assert (near.job_id, changes) == (first.job_id, (("epsilon", "0.5", "0.75"),))


def test_differences_name_what_came_and_went() -> None:
    before = CountSpec(project_id="cytology", cohort=Cohort(criteria=(HasCondition(concept_ids=(1, 2)),)))
    after = CountSpec(project_id="cytology", cohort=Cohort(criteria=(HasCondition(concept_ids=(1,)),)))
    assert evidence.differences(before, after) == [("cohort.criteria 1.concept_ids 2", "2", "not asked")]
