"""Applying: a draft that is saved as it is typed, and the button that hands it in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from flip_sdk.contract.applications import Application, NewProject
from flip_sdk.contract.filling import Value, problems_of
from flip_sdk.contract.form import FIELDS, SECTIONS
from flip_sdk.contract.records import Name
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import PublicError
from flip_sdk.meaning import meaning
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages import typed
from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent, to_project
from flip_hub.api.pages.names import display_names
from flip_hub.api.pages.project_pages import show
from flip_hub.api.sessions import Asking, At, desk_of
from flip_hub.database import Person, Project, now
from flip_hub.errors import DeniedError, IncompleteError, InvalidError
from flip_hub.governance import access, comments, drafts, projects, trusts
from flip_hub.governance.drafts import Draft
from flip_hub.governance.office import Office
from flip_hub.governance.people import people
from flip_hub.policy import Subject

router = APIRouter()
_UNSAID: dict[str, Value] = {"epsilon": "", "expires_at": "", "job_kinds": []}
"""Of a new draft: what an application cannot be without, and nobody has said yet."""


@router.get("/apply")
def apply_page(request: Request, subject: Asking, office: At) -> Response:
    """Where an application begins: an id and a title."""
    office.policies.authorise(subject, "apply", access.HUB)
    return draw(request, "apply.html", values={}, problems={})


@router.post("/apply")
def apply(request: Request, subject: Asking, office: At, form: Sent) -> Response:
    """Begin a draft; whatever else of the form is sent with it is kept too."""
    office.policies.authorise(subject, "apply", access.HUB)
    values = {name: str(form.get(name, "")).strip() for name in ("project_id", "title")}
    problems = _begin(office, subject, values, typed.values_of(form))
    if problems:
        return draw(request, "apply.html", status=422, values=values, problems=problems)
    return _to_edit(request, values["project_id"])


@router.get("/projects/{project_id}/edit")
def edit_page(request: Request, subject: Asking, office: At, project_id: Name, more: str = "") -> Response:
    """The whole form, as far as it was filled in."""
    return _form(request, office, subject, project_id, more=more)


@router.post("/projects/{project_id}/edit")
def edit(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """The form's buttons: save, add or remove an entry, choose between two texts, hand in."""
    does, _, what = str(form.get("does", "save")).partition(":")
    values = typed.values_of(form)
    field, _, number = what.partition(":")
    if does == "remove" and field in values and number.isdecimal():
        values[field] = typed.without(values[field], int(number))
    contested, _ = drafts.save_all(office, subject, project_id, values, typed.seen_of(form))
    if does in {"use", "drop"}:
        drafts.forget_rival(office, subject, project_id, field, use=does == "use")
    if does == "submit" and not contested:
        return submit(request, subject, office, project_id, form)
    page = f"{desk_of(request).prefix}projects/{project_id}/edit"
    match does:
        case "add":
            return RedirectResponse(f"{page}?more={field}#field-{field}", status_code=303)
        case "remove" | "use" | "drop":
            return RedirectResponse(f"{page}#field-{field}", status_code=303)
        case _ if contested:
            return RedirectResponse(f"{page}#field-{contested[0]}", status_code=303)
    return RedirectResponse(f"{page}?more=saved", status_code=303)


@router.post("/projects/{project_id}/draft/{name}")
def save_field(request: Request, subject: Asking, office: At, project_id: Name, name: str, form: Sent) -> Response:
    """One field, as it is typed; answers with a piece of the page."""
    if name not in FIELDS:
        raise InvalidError(f"The application has no field {name}.", "Load the page again.")
    value = typed.value_of(form, FIELDS[name])
    kept, draft = drafts.save_field(office, subject, project_id, name, value, seen=typed.seen(form, name))
    told = _meaning(draft, name)
    return draw(request, "draft_saved.html", name=name, kept=kept, at=now(), project_id=project_id, meaning=told)


@router.post("/projects/{project_id}/submit")
def submit(request: Request, subject: Asking, office: At, project_id: Name, _form_sent: Sent) -> Response:
    """Hand an application in, or say everything that it lacks, each with its field."""
    try:
        projects.submit(office, subject, project_id)
    except IncompleteError as error:
        return _form(request, office, subject, project_id, problems=error.violations)
    except DeniedError:
        raise
    except PublicError as error:
        return show(request, office, subject, project_id, f"{error.message} {error.mend}".strip(), status=422)
    return to_project(request, project_id)


def _begin(office: Office, subject: Subject, values: dict[str, str], sent: dict[str, Value]) -> dict[str, str]:
    try:
        application = Application(
            title=values["title"] or values["project_id"],
            organisation=subject.organisation,
            epsilon=1.0,
            expires_at=now() + timedelta(days=365),
        )
        wanted = NewProject.model_validate({"project_id": values["project_id"], "application": application})
        titles = [one for one in problems_of(application) if one.where == "title"]
        if titles:
            return {"title": titles[0].message}
        projects.create(office, subject, wanted)
        drafts.save_all(office, subject, wanted.project_id, _UNSAID | sent, {})
    except ValidationError as error:
        field = "title" if any("title" in detail["loc"] for detail in error.errors()) else "project_id"
        return {field: _WRONG[field]}
    except PublicError as error:
        return {"project_id": f"{error.message} {error.mend}".strip()}
    return {}


_WRONG = {
    "project_id": "Use 1 to 40 lower case letters, digits and hyphens, and no hyphen at either end.",
    "title": "Write a title of at most 200 characters.",
}


def _form(
    request: Request,
    office: Office,
    subject: Subject,
    project_id: str,
    *,
    problems: Sequence[Violation] = (),
    more: str = "",
) -> Response:
    with office.database.read() as session:
        project = access.permit(office, session, subject, "edit_project", project_id)
        draft = drafts.draft_of(session, project)
        return draw(
            request,
            "edit.html",
            status=422 if problems else 200,
            project=projects.view(project),
            sections=SECTIONS,
            draft=draft,
            todo=_todo(projects.problems(session, project)),
            problems=problems,
            wrong={one.where: one.message.partition(": ")[2] or one.message for one in problems},
            entries=lambda field: _entries(draft, field, more),
            more=more,
            meaning=_meaning(draft, "epsilon"),
            threads=comments.threads_of(session, project),
            names=display_names(session),
            choices=_choices(office, session, subject, project),
        )


def _entries(draft: Draft, field: str, more: str) -> list[Any]:
    """A list's entries with a blank one where there is none, or one more was asked for."""
    kept = draft.fields[field].value
    found = [one for one in kept if isinstance(one, dict)] if isinstance(kept, list) else []
    blank: dict[str, Any] = {}
    return [*found, blank] if more == field or not found else found


def _todo(found: Sequence[Violation]) -> dict[str, int]:
    """How much each section lacks."""
    fields = [one.where.partition("-")[0] for one in found]
    return {section.name: sum(f.name in fields for f in section.fields) for section in SECTIONS}


def _choices(office: Office, session: Session, subject: Subject, project: Project) -> dict[str, list[tuple[str, str]]]:
    """What a person or a Trust is chosen from; those chosen before stay choices."""
    places = {trust.name: trust.title for trust in trusts.enrolled(session)}
    places |= {name: name for name in project.application.trusts if name not in places}
    fellows = {p.name: f"{p.display_name} ({p.organisation})" for p in people(office.database) if _may_join(p, subject)}
    fellows |= {name: name for name in project.application.team if name not in fellows}
    return {"trusts": list(places.items()), "people": list(fellows.items())}


def _may_join(person: Person, subject: Subject) -> bool:
    return person.active and person.name != subject.name and "researcher" in person.roles


def _meaning(draft: Draft, name: str) -> tuple[str, ...]:
    wrong = {one.where for one in draft.filled.problems}
    if name not in {"epsilon", "delta"} or wrong & {"epsilon", "delta"}:
        return ()
    return meaning(draft.filled.application.epsilon, draft.filled.application.delta)


def _to_edit(request: Request, project_id: str) -> Response:
    return RedirectResponse(f"{desk_of(request).prefix}projects/{project_id}/edit", status_code=303)
