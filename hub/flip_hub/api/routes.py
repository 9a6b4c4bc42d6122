"""The JSON API: people, projects and their reviews."""

from __future__ import annotations

from fastapi import APIRouter
from flip_sdk.contract.api import Me, ProjectView, TrustBudget, TrustCatalogue
from flip_sdk.contract.applications import Application, NewProject, Review
from flip_sdk.contract.records import Line, Name, Record, Text
from pydantic import Field

from flip_hub.api.sessions import Asking, At
from flip_hub.database import Person
from flip_hub.governance import access, consents, listing, projects, reviews

router = APIRouter()


class NewState(Record):
    """What an operator sets: ``suspended``, ``approved`` (resume) or ``closed``; and why."""

    state: Line = Field(min_length=1)
    reason: Text = ""


@router.get("/me")
def me(subject: Asking, office: At) -> Me:
    """Who is asking, as the hub knows them."""
    with office.database.read() as session:
        person = session.get_one(Person, subject.name)
    return Me(
        name=person.name,
        display_name=person.display_name,
        organisation=person.organisation,
        roles=tuple(person.roles),
        workspace_project=subject.workspace or None,
    )


@router.get("/projects")
def list_projects(subject: Asking, office: At) -> list[ProjectView]:
    """Projects that this person may know of."""
    with office.database.read() as session:
        return [projects.view(project) for project in listing.all_of(office, session, subject)]


@router.post("/projects", status_code=201)
def create_project(subject: Asking, office: At, body: NewProject) -> ProjectView:
    """Begin an application."""
    return projects.create(office, subject, body)


@router.get("/projects/{project_id}")
def show_project(subject: Asking, office: At, project_id: Name) -> ProjectView:
    """One project."""
    return projects.show(office, subject, project_id)


@router.put("/projects/{project_id}")
def edit_project(subject: Asking, office: At, project_id: Name, body: Application) -> ProjectView:
    """Change an application before it is submitted (again)."""
    return projects.edit(office, subject, project_id, body)


@router.post("/projects/{project_id}/submit")
def submit_project(subject: Asking, office: At, project_id: Name) -> ProjectView:
    """Hand an application in for review."""
    return projects.submit(office, subject, project_id)


@router.post("/projects/{project_id}/reviews")
def review_project(subject: Asking, office: At, project_id: Name, body: Review) -> ProjectView:
    """Decide on an application."""
    return reviews.review(office, subject, project_id, body)


@router.post("/projects/{project_id}/state")
def change_state(subject: Asking, office: At, project_id: Name, body: NewState) -> ProjectView:
    """Suspend, resume or close a project (operators)."""
    return projects.change_state(office, subject, project_id, body.state, body.reason)


@router.get("/projects/{project_id}/budget")
def show_budget(subject: Asking, office: At, project_id: Name) -> list[TrustBudget]:
    """Each Trust's consent, liveness and ledger."""
    with office.database.read() as session:
        project = access.visible(office, session, subject, project_id)
        return consents.budgets(office.config, session, project)


@router.get("/projects/{project_id}/catalogue")
def show_catalogue(subject: Asking, office: At, project_id: Name) -> list[TrustCatalogue]:
    """What each Trust publishes about its data."""
    with office.database.read() as session:
        return consents.catalogues(session, access.visible(office, session, subject, project_id))
