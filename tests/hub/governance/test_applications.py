"""Applying, reviewing, suspending and expiring."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flip_hub.database import Job, Project, Routine, now
from flip_hub.errors import ConflictError, DeniedError, IncompleteError, InvalidError, MissingError, NotNowError
from flip_hub.governance import intake, listing, projects, reviews
from flip_sdk.contract.api import ProjectView
from flip_sdk.contract.applications import NewProject, Review
from flip_sdk.contract.states import ProjectState

APPROVE = Review(decision="approve", comment="Clear.", declares="none")


def _review(hub, name: str, decision: Review = APPROVE) -> ProjectView:
    return reviews.review(hub.office, hub.who(name), "cytology", decision)


def test_two_approvals_of_two_organisations_approve(hub) -> None:
    hub.submitted()
    assert _review(hub, "rufus").state is ProjectState.IN_REVIEW
    view = _review(hub, "mina")
    assert view.state is ProjectState.APPROVED
    assert [review.reviewer for review in view.reviews] == ["rufus", "mina"]
    assert hub.events()[-6:] == [
        "project.created",
        "project.submitted",
        "project.reviewed",
        "project.review_started",
        "project.reviewed",
        "project.approved",
    ]


@pytest.mark.parametrize(
    ("reviewer", "policy"),
    [
        ("nora", "projects.review_own_organisation"),
        ("olga", "projects.review"),
        ("rose", "projects.review_same_organisation"),
        ("rufus", "projects.review_twice"),
    ],
)
def test_conflicts_of_interest(hub, reviewer: str, policy: str) -> None:
    hub.submitted()
    _review(hub, "rufus")
    with pytest.raises(DeniedError) as caught:
        _review(hub, reviewer)
    assert caught.value.policy == policy
    assert projects.show(hub.office, hub.who("ada"), "cytology").state is ProjectState.IN_REVIEW


def test_nobody_approves_an_own_project(hub) -> None:
    hub.submitted(team=("mina",))
    with pytest.raises(DeniedError) as caught:
        _review(hub, "mina")
    assert caught.value.policy == "projects.review_own"


def test_a_team_members_organisation_may_not_decide(hub) -> None:
    hub.submitted(owner="bea", team=("alan",), organisation="Southport University")
    with pytest.raises(DeniedError) as caught:
        _review(hub, "nora")
    assert caught.value.policy == "projects.review_own_organisation"


def test_changes_requested_start_over(hub) -> None:
    hub.submitted()
    _review(hub, "rufus")
    view = _review(hub, "mina", Review(decision="request_changes", comment="Say which scanners.", declares="none"))
    assert view.state is ProjectState.CHANGES_REQUESTED
    projects.edit(hub.office, hub.who("ada"), "cytology", hub.application(title="Breast cytology, again"))
    assert projects.submit(hub.office, hub.who("ada"), "cytology").reviews == ()
    assert _review(hub, "rufus").state is ProjectState.IN_REVIEW


def test_one_rejection_ends_it(hub) -> None:
    hub.submitted()
    assert (
        _review(hub, "rufus", Review(decision="reject", comment="No benefit.", declares="none")).state
        is ProjectState.REJECTED
    )
    with pytest.raises(NotNowError):
        _review(hub, "mina")
    with pytest.raises(ConflictError):
        projects.submit(hub.office, hub.who("ada"), "cytology")


def test_an_approved_application_cannot_be_edited(hub) -> None:
    hub.approved()
    with pytest.raises(NotNowError):
        projects.edit(hub.office, hub.who("ada"), "cytology", hub.application())


@pytest.mark.parametrize(
    "changes",
    [
        {"team": ("nobody-here",)},
        {"trusts": ("elsewhere",)},
        {"expires_at": now() - timedelta(days=1)},
    ],
)
def test_an_application_that_cannot_work_is_not_submitted(hub, changes) -> None:
    hub.draft(**changes)
    with pytest.raises(IncompleteError):
        projects.submit(hub.office, hub.who("ada"), "cytology")
    view = projects.show(hub.office, hub.who("ada"), "cytology")
    assert view.state is ProjectState.DRAFT


def test_a_project_id_is_taken_once(hub) -> None:
    hub.draft()
    with pytest.raises(ConflictError):
        projects.create(hub.office, hub.who("bea"), NewProject(project_id="cytology", application=hub.application()))


def test_only_the_owner_submits(hub) -> None:
    hub.draft(team=("alan",))
    with pytest.raises(DeniedError):
        projects.submit(hub.office, hub.who("alan"), "cytology")


def test_drafts_are_the_teams_own(hub) -> None:
    hub.draft()
    for name in ("rufus", "bea", "olga"):
        with pytest.raises(MissingError):
            projects.show(hub.office, hub.who(name), "cytology")
    with hub.office.database.read() as session:
        assert listing.all_of(hub.office, session, hub.who("rufus")) == []


def test_an_operator_suspends_resumes_and_closes(hub) -> None:
    hub.approved()
    for target, state in (("suspended", "suspended"), ("approved", "approved"), ("closed", "closed")):
        assert projects.change_state(hub.office, hub.who("olga"), "cytology", target, "Asked to.").state == state
    with pytest.raises(ConflictError):
        projects.change_state(hub.office, hub.who("olga"), "cytology", "approved")
    assert {"project.suspended", "project.resumed", "project.closed"} <= set(hub.events())


@pytest.mark.parametrize(("name", "error"), [("rufus", DeniedError), ("ada", DeniedError), ("bea", MissingError)])
def test_others_do_not_change_its_state(hub, name: str, error: type[Exception]) -> None:
    hub.approved()
    with pytest.raises(error):
        projects.change_state(hub.office, hub.who(name), "cytology", "suspended", "Asked to.")


def test_an_operator_cannot_approve(hub) -> None:
    hub.submitted()
    with pytest.raises(ConflictError):
        projects.change_state(hub.office, hub.who("olga"), "cytology", "approved")
    _review(hub, "rufus")
    with pytest.raises(ConflictError):
        projects.change_state(hub.office, hub.who("olga"), "cytology", "approved")
    with pytest.raises(InvalidError):
        projects.change_state(hub.office, hub.who("olga"), "cytology", "draft")


def test_expiry_counts_at_once_and_is_written_down_once(hub) -> None:
    hub.expired()
    assert projects.show(hub.office, hub.who("ada"), "cytology").state is ProjectState.EXPIRED
    with hub.office.database.read() as session:
        assert session.get_one(Project, "cytology").state == "approved"
    assert projects.expire(hub.office.database) == ["cytology"]
    assert projects.expire(hub.office.database) == []
    assert hub.events().count("project.expired") == 1


@pytest.mark.parametrize("ending", ["suspended", "closed", "expired"])
def test_what_runs_is_stopped_with_the_project(hub, ending: str) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    if ending == "expired":
        with hub.office.database.write(Routine("a test turns the clock")) as session:
            session.get_one(Project, "cytology").expires_at = now() - timedelta(seconds=1)
        projects.expire(hub.office.database)
    else:
        projects.change_state(hub.office, hub.who("olga"), "cytology", ending, "Asked to.")
    with hub.office.database.read() as session:
        assert session.get_one(Job, job.job_id).cancel_requested


def test_closing_an_expired_project_records_both(hub) -> None:
    hub.expired()
    projects.change_state(hub.office, hub.who("olga"), "cytology", "closed")
    assert {"project.expired", "project.closed"} <= set(hub.events())
