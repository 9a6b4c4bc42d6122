"""Decisions on a project: each is filled in, read once more with what follows from it, and only then made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, get_args

from fastapi import APIRouter, Request
from flip_sdk.contract.jobs import JobKind, TrustModelName
from flip_sdk.contract.records import Name
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from flip_trust import consent
from flip_trust.consent import Consent, Terms
from flip_trust.console import projects
from flip_trust.console.desk import Asking, At, Desk, Sent
from flip_trust.console.drawing import draw, plain
from flip_trust.console.projects import Project
from flip_trust.console.words import what_epsilon_means
from flip_trust.database import Database
from flip_trust.errors import ConsentError, MissingError
from flip_trust.policy import Person

router = APIRouter()
LONGEST_REASON = 500
_CHANGES = {"pause": consent.pause, "resume": consent.resume, "leave": consent.leave}
_FROM = {"pause": ("opted_in", "expired"), "resume": ("paused",), "leave": ("opted_in", "expired", "paused")}


@dataclass
class Asked:
    """An opt-in as it was filled in.

    Attributes:
        values: as they were typed.
        problems: what is wrong with them, by field.
        terms: what they say, where nothing is.
    """

    values: dict[str, Any]
    problems: dict[str, str] = field(default_factory=dict)
    terms: Terms | None = None


@router.get("/projects/{project_id}/opt-in")
def opt_in_page(request: Request, desk: At, person: Asking, project_id: Name) -> Response:
    """The terms, to be filled in."""
    project = _to_decide(desk, person, project_id)
    return _form(request, desk, project, Asked(_first_values(project)))


@router.post("/projects/{project_id}/opt-in")
def opt_in(request: Request, desk: At, person: Asking, project_id: Name, form: Sent) -> Response:
    """Show what was filled in and what follows from it; make it so once that is confirmed."""
    project = _to_decide(desk, person, project_id)
    asked = _asked(project, form, desk.clock())
    if asked.terms is None:
        return _form(request, desk, project, asked, status=422)
    if form.get("confirmed") != "yes":
        return _confirm(request, desk, project, asked)
    if asked.values["told"] != _told(project):
        problem = "What the hub tells of this project has changed while you were reading. Read it again, then decide."
        return _form(request, desk, project, Asked(_first_values(project), {"told": problem}), status=409)
    consent.opt_in(desk.database, project_id, asked.terms, person.name, desk.clock(), asked.values["reason"])
    return _done(project_id, "opt-in")


@router.get("/projects/{project_id}/{change}")
def change_page(request: Request, desk: At, person: Asking, project_id: Name, change: str) -> Response:
    """What follows from a pause, from its end, or from leaving."""
    project = _to_change(desk, person, project_id, change)
    return draw(request, "change.html", project=project, change=change, longest=LONGEST_REASON)


@router.post("/projects/{project_id}/{change}")
def change(request: Request, desk: At, person: Asking, project_id: Name, change: str, form: Sent) -> Response:
    """Pause, resume or leave."""
    project = _to_change(desk, person, project_id, change)
    reason = _reason(form)
    if len(reason) > LONGEST_REASON:
        return draw(request, "change.html", status=422, project=project, change=change, longest=LONGEST_REASON,
                    problem=f"Use at most {LONGEST_REASON} characters.", reason=reason)  # fmt: skip
    _change(desk.database, change, project_id, person, reason)
    return _done(project_id, change)


def _change(database: Database, change: str, project_id: str, person: Person, reason: str) -> Consent:
    return _CHANGES[change](database, project_id, person.name, reason)


def _to_decide(desk: Desk, person: Person, project_id: str) -> Project:
    desk.policies.authorise(person, "decide_on_project")
    project = projects.one(desk.database, project_id, desk.clock())
    if project.told is None or not project.told.listed:
        raise ConsentError(
            "The hub does not ask for this project any more, so there is nothing to opt in to.",
            "Pause or leave it; or wait until the hub tells of it again.",
        )
    if project.is_over:
        raise ConsentError("The project itself has ended.", "Its researchers have to ask their hub for more time.")
    return project


def _to_change(desk: Desk, person: Person, project_id: str, change: str) -> Project:
    if change not in _CHANGES:
        raise MissingError("There is no such page.", "Start at the console's first page.")
    desk.policies.authorise(person, "decide_on_project")
    project = projects.one(desk.database, project_id, desk.clock())
    if project.state not in _FROM[change]:
        raise ConsentError("This project does not stand so that you could do this.", "Look at its page again.")
    return project


def _first_values(project: Project) -> dict[str, Any]:
    """What the form begins with: what stands here, else what is asked; never more than is asked."""
    assert project.told is not None
    record, terms = project.told.record, project.decided.terms if project.decided else None
    renews = terms is not None and project.state in {"opted_in", "paused"}
    return {
        "job_kinds": list(terms.job_kinds if terms else record.job_kinds),
        "trust_models": list(terms.trust_models) if terms else ["local"],
        "epsilon": f"{min(terms.epsilon, record.epsilon) if terms else record.epsilon:g}",
        "epsilon_alone": f"{terms.epsilon_alone:g}" if terms and terms.epsilon_alone else "",
        "delta": plain(min(terms.delta, record.delta) if terms else record.delta),
        "until": f"{min(terms.expires_at, record.expires_at) if terms and renews else record.expires_at:%Y-%m-%d}",
        "reason": "",
        "told": _told(project),
    }


def _asked(project: Project, form: FormData, now: datetime) -> Asked:
    """The terms that were sent, or everything that is wrong with them."""
    assert project.told is not None
    record, names = project.told.record, ("epsilon", "epsilon_alone", "delta", "until", "reason", "told")
    values: dict[str, Any] = {name: str(form.get(name, "")).strip() for name in names}
    values |= {name: [str(one) for one in form.getlist(name)] for name in ("job_kinds", "trust_models")}
    wrong: dict[str, str] = {}
    kinds: tuple[JobKind, ...] = tuple(kind for kind in get_args(JobKind) if kind in values["job_kinds"])
    models: tuple[TrustModelName, ...] = tuple(m for m in get_args(TrustModelName) if m in values["trust_models"])
    if not kinds:
        wrong["job_kinds"] = "Choose at least one kind of job, or do not opt in."
    elif set(kinds) - set(record.job_kinds):
        wrong["job_kinds"] = "Choose only kinds of job that the project asks for."
    if not models:
        wrong["trust_models"] = "Choose whose noise may protect your patients."
    epsilon = _number(values, wrong, "epsilon", record.epsilon, "the project asks for")
    delta = _number(values, wrong, "delta", record.delta, "the project asks for")
    alone = _number(values, wrong, "epsilon_alone", 10_000, "makes sense") if values["epsilon_alone"] else None
    if alone is not None and epsilon is not None and alone < epsilon:
        wrong["epsilon_alone"] = "This can only be as much as the budget above, or more."
    until = _last_moment(values["until"], record.expires_at, now, wrong)
    if len(values["reason"]) > LONGEST_REASON:
        wrong["reason"] = f"Use at most {LONGEST_REASON} characters."
    if wrong or epsilon is None or delta is None or until is None:
        return Asked(values, wrong)
    return Asked(values, wrong, Terms(kinds, epsilon, delta, until, models, alone))


def _number(values: dict[str, Any], wrong: dict[str, str], name: str, most: float, what: str) -> float | None:
    try:
        found = float(values[name])
    except ValueError:
        wrong[name] = "Write a number, such as 0.00001." if name == "delta" else "Write a number, such as 3 or 0.5."
        return None
    if not 0 < found <= most:
        wrong[name] = f"Give more than 0 and at most {plain(most)}, which is what {what}."
        return None
    return found


def _last_moment(text: str, most: datetime, now: datetime, wrong: dict[str, str]) -> datetime | None:
    try:
        last = datetime.combine(date.fromisoformat(text), time.max, UTC)
    except ValueError:
        wrong["until"] = "Write the last day as 2027-06-30."
        return None
    if last <= now:
        wrong["until"] = "Give a day that is not over yet."
        return None
    if last.date() > most.astimezone(UTC).date():
        wrong["until"] = f"Give {most:%Y-%m-%d} or an earlier day: the project ends then."
        return None
    return last


def _form(request: Request, desk: Desk, project: Project, asked: Asked, status: int = 200) -> Response:
    assert project.told is not None
    record = project.told.record
    return draw(
        request,
        "opt_in.html",
        status=status,
        project=project,
        record=record,
        values=asked.values,
        problems=asked.problems,
        kinds=[kind for kind in get_args(JobKind) if kind in record.job_kinds],
        trust_models=get_args(TrustModelName),
        means=what_epsilon_means(record.epsilon, record.delta),
        total=desk.config.total,
        longest=LONGEST_REASON,
    )


def _confirm(request: Request, desk: Desk, project: Project, asked: Asked) -> Response:
    assert asked.terms is not None
    means = what_epsilon_means(asked.terms.epsilon, asked.terms.delta)
    refused = [kind for kind in get_args(JobKind) if kind not in asked.terms.job_kinds]
    return draw(
        request,
        "opt_in_confirm.html",
        project=project,
        terms=asked.terms,
        values=asked.values,
        refused=refused,
        means=means,
        job_cap=desk.config.max_epsilon_per_job,
    )


def _told(project: Project) -> str:
    """Of what a steward decides on; the other Trusts' keys come and go."""
    return project.told.record.model_copy(update={"peers": ()}).digest() if project.told else ""


def _reason(form: FormData) -> str:
    return str(form.get("reason", "")).strip()


def _done(project_id: str, change: str) -> Response:
    return RedirectResponse(f"/projects/{project_id}?done={change}", status_code=303)
