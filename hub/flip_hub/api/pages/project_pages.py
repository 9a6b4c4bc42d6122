"""The list of projects, and a project's own page."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from flip_sdk.contract.records import Name
from flip_sdk.contract.states import PROJECT, ProjectState
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.names import display_names
from flip_hub.api.sessions import Asking, At
from flip_hub.database import AuditRow, Person, Project, now
from flip_hub.governance import (
    access,
    agreement,
    comments,
    consents,
    dashboards,
    deciding,
    expiry,
    jobs,
    listing,
    projects,
    resources,
    reviews,
)
from flip_hub.governance.office import Office
from flip_hub.governance.profiles import profiles
from flip_hub.governance.when import STATES_OF_ACTION, state_of
from flip_hub.policy import Object, Subject

router = APIRouter()
FIND = 200
"""Characters of a search that are looked at."""
CONDITIONS = 3
"""How many a decision's form has room for; the API takes more."""
_ASKED = (
    "view_project",
    "view_jobs",
    "view_dashboard",
    "open_workspace",
    "submit_project",
    "edit_project",
    "review_project",
    "change_project_state",
    "confirm_condition",
    "set_resources",
)
"""Actions that the page asks the policies about."""
_OPERATOR_STEPS = {
    ProjectState.SUSPENDED: "Suspend",
    ProjectState.APPROVED: "Resume",
    ProjectState.CLOSED: "Close",
}


@router.get("/")
def first_page(
    request: Request, subject: Asking, office: At, find: str = "", state: str = "", page: int = 1
) -> Response:
    """The projects that this person may know of, a page at a time; what waits for them comes first."""
    find, state = find.strip()[:FIND], state if state in set(ProjectState) else ""
    with office.database.read() as session:
        listed = listing.page_of(office, session, subject, find=find, state=state, number=min(page, 10**6))
        first = page <= 1 and not find and not state
        waiting = listing.waiting(office, session, subject) if first else []
        return draw(
            request,
            "projects.html",
            page=listed,
            find=find,
            wanted_state=state,
            states=tuple(ProjectState),
            link=lambda number: "?" + urlencode({"find": find, "state": state, "page": number}),
            projects=[(row, state_of(row)) for row in listed.projects],
            waiting=waiting,
            room=listing.WAITING,
            undecided=deciding.waiting(office, session, subject) if first else [],
            ending=[(row, words) for row in listing.ending(session, subject) if first and (words := expiry.words(row))],
            names=display_names(session, [row.owner for row in (*listed.projects, *waiting)]),
            may_apply=office.policies.decide(subject, "apply", access.HUB).allowed,
        )


@router.get("/projects/{project_id}")
def project_page(request: Request, subject: Asking, office: At, project_id: Name) -> Response:
    """A project: its application, decisions, Trusts, jobs and dashboards."""
    return show(request, office, subject, project_id)


def show(
    request: Request,
    office: Office,
    subject: Subject,
    project_id: str,
    problem: str = "",
    status: int = 200,
    sent: Mapping[str, object] | None = None,
) -> Response:
    """Draw a project's page, with a problem on top where there is one, and what was sent still in its form."""
    with office.database.read() as session:
        row = access.visible(office, session, subject, project_id)
        target = access.object_of(session, row)
        office.policies.foresee(subject, _ASKED, target)
        is_member = subject.name in row.members
        works = state_of(row) in STATES_OF_ACTION["view_dashboard"]
        return draw(
            request,
            "project.html",
            status=status,
            problem=problem,
            sent=sent or {},
            project=projects.view(row),
            earlier=[review for review in row.reviews if review.version != row.version],
            names=(names := display_names(session, [*row.members, *(review.reviewer for review in row.reviews)])),
            team=[names.get(name, name) for name in row.members[1:]],
            budgets=consents.budgets(office.config, session, row),
            left=consents.left,
            jobs=jobs.jobs_of(office, session, subject, project_id),
            dashboards=dashboards.dashboards_of(office, session, subject, project_id) if is_member and works else [],
            is_member=is_member,
            may=lambda action: _may(office, subject, row, target, action),
            may_review=may_review(subject),
            review_refusal=reviews.refusal(office, session, subject, row),
            condition_room=CONDITIONS,
            today=now().date(),
            ending=expiry.words(row),
            must_sign=subject.name in (missing := agreement.unsigned(session, row)),
            unsigned=[names.get(name, name) for name in sorted(missing)] if works else [],
            open_comments=sum(one.open for found in comments.threads_of(session, row).values() for one in found),
            steps=_operator_steps(office, session, subject, row),
            history=_history(session, project_id),
            **_workspaces(office, session, subject, row),
        )


def may_review(subject: Subject) -> bool:
    """Whether deciding on applications is this person's part at all."""
    return "governance reviewer" in subject.roles


def may(office: Office, session: Session, subject: Subject, project: Project, action: str) -> bool:
    """Whether this person may do this to this project, in its state."""
    return _may(office, subject, project, access.object_of(session, project), action)


def _may(office: Office, subject: Subject, project: Project, target: Object, action: str) -> bool:
    allowed = office.policies.decide(subject, action, target).allowed
    return allowed and state_of(project) in STATES_OF_ACTION.get(action, frozenset(ProjectState))


def _operator_steps(office: Office, session: Session, subject: Subject, project: Project) -> dict[str, str]:
    if not may(office, session, subject, project, "change_project_state"):
        return {}
    state = state_of(project)
    events = {"project.suspended", "project.resumed", "project.closed"}
    return {
        str(row.target): _OPERATOR_STEPS[ProjectState(row.target)]
        for row in PROJECT.transitions
        if row.source == state and row.event in events
    }


def _workspaces(office: Office, session: Session, subject: Subject, project: Project) -> dict[str, object]:
    """What its workspaces may use, and what of it was given to this project alone."""
    if state_of(project) not in STATES_OF_ACTION["open_workspace"]:
        return {"works": False}
    known, seen = profiles(office.config), resources.view(office.config, session, project)
    extra = [one for one in known.profiles if one not in known.given(frozenset())]
    held = {one.name for one in seen.profiles}
    minutes = office.config.workspace_idle_minutes
    return {
        "works": True,
        "resources": seen,
        "notices": resources.notices_of(office.config, session, project, subject.name),
        "kept": {
            one.name: ", ".join(group.title for group in known.whom(one))
            for one in known.profiles
            if not known.may_choose(one, session.get_one(Person, subject.name), now())
        },
        "extra_profiles": [{"value": one.name, "text": f"{one.title}: {one.words}"} for one in extra],
        "given": [one.name for one in extra if one.name in held],
        "idle_hours": f"{minutes / 60:g} hours" if minutes >= 120 else f"{minutes:g} minutes",
    }


def _history(session: Session, project_id: str) -> list[AuditRow]:
    chosen = select(AuditRow).where(AuditRow.subject == f"project/{project_id}", AuditRow.event.like("project.%"))
    return list(session.scalars(chosen.order_by(AuditRow.sequence)))
