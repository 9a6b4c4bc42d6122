"""The airlock's pages: the queue, one review screen for each request, and the forms that decide."""

from __future__ import annotations

from fastapi import APIRouter, Request
from flip_sdk.contract.airlock import DecideOutputs, WithReason
from flip_sdk.contract.records import Name, Token
from flip_sdk.errors import NotAllowedError, PublicError
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from flip_hub.airlock import decisions, ingress, previews, releases, requests
from flip_hub.airlock.queue import queue
from flip_hub.api.pages.airlock_view import screen_of
from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent
from flip_hub.api.pages.names import display_names
from flip_hub.api.sending import attachment, image
from flip_hub.api.sessions import Asking, At, desk_of
from flip_hub.database import Project, ProjectMember
from flip_hub.errors import MissingError
from flip_hub.governance import links
from flip_hub.governance.access import HUB
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

router = APIRouter()


@router.get("/airlock")
def airlock_page(request: Request, subject: Asking, office: At) -> Response:
    """What waits at the airlock for this person, or for somebody else that they asked."""
    coming = ingress.waiting(office, subject)
    with office.database.read() as session:
        checks = office.policies.decide(subject, "check_outputs", HUB).allowed
        waiting = queue(office, session, subject) if checks else []
        # a workspace's token sees its own project alone
        mine = [one for one in _projects_of(session, subject.name) if subject.workspace in ("", one.project_id)]
        shared = links.waiting(office, session, subject) if checks else []
        asking = [*(one.requested_by for one in waiting), *(one.requested_by for one in coming)]
        names = display_names(session, asking)
    asked = {project.project_id: requests.requests_of(office, subject, project.project_id) for project in mine}
    return draw(
        request,
        "airlock.html",
        checks=checks,
        queue=waiting,
        shared=len(shared),
        ingress=coming,
        mine=mine,
        asked=asked,
        names=names,
    )


@router.get("/airlock/{request_id}")
def request_page(request: Request, subject: Asking, office: At, request_id: Token, file: str = "") -> Response:
    """One request, and one of its files."""
    return show(request, office, subject, request_id, file)


@router.post("/airlock/{request_id}/decisions")
def decide(request: Request, subject: Asking, office: At, request_id: Token, form: Sent) -> Response:
    """A checker's decision on one file, or on all that pass."""
    outputs = [str(value) for value in form.getlist("outputs")]
    at = outputs[0] if len(outputs) == 1 else ""
    try:
        wanted = DecideOutputs.model_validate(
            {
                "outputs": outputs,
                "decision": form.get("decision"),
                "reason": str(form.get("reason", "")),
                "audience": form.get("audience") or None,
            }
        )
        decisions.decide(office, subject, request_id, wanted)
    except ValidationError:
        problem = "Choose a file and a decision: approve or withhold. A reason has at most 4,000 characters."
        return show(request, office, subject, request_id, at, problem, 422)
    except NotAllowedError:
        raise
    except PublicError as error:
        problem = f"{error.message} {error.mend}".strip()
        return show(request, office, subject, request_id, at, problem, 422)
    request.app.state.airlock.wake()
    return _to(request, f"airlock/{request_id}#file")


@router.post("/airlock/{request_id}/withdraw")
def withdraw(request: Request, subject: Asking, office: At, request_id: Token, _form: Sent) -> Response:
    """Take a request back."""
    requests.withdraw(office, subject, request_id)
    return _to(request, f"airlock/{request_id}")


@router.post("/airlock/outputs/{output_id}/revoke")
def revoke(request: Request, subject: Asking, office: At, output_id: Token, form: Sent) -> Response:
    """Serve a released file no longer."""
    try:
        wanted = WithReason.model_validate({"reason": str(form.get("reason", "")).strip()})
    except ValidationError:
        request_id = str(form.get("request", ""))
        problem = "Say why the release is revoked: the team and the register read it."
        return show(request, office, subject, request_id, output_id, problem, 422)
    done = releases.revoke(office, subject, output_id, wanted.reason)
    return _to(request, f"airlock/{done.request_id}?file={output_id}#file")


@router.get("/airlock/outputs/{output_id}/content")
def output_content(subject: Asking, office: At, output_id: Token) -> Response:
    """A file under review, to save, for its checkers."""
    output, content = previews.content_for_checker(office, subject, output_id)
    return attachment(content, output.path)


@router.get("/airlock/outputs/{output_id}/image")
def output_image(subject: Asking, office: At, output_id: Token) -> Response:
    """An image under review, to look at, for its checkers."""
    output, content = previews.content_for_checker(office, subject, output_id)
    media_type = previews.IMAGES.get(previews.suffix_of(output.path))
    if media_type is None or output.examined is None or output.examined.kind != "image":
        raise MissingError("This is no image.", "Save the file instead.")
    return image(content, media_type)


@router.get("/projects/{project_id}/releases")
def releases_page(request: Request, subject: Asking, office: At, project_id: Name) -> Response:
    """What a project released, to fetch, and what was revoked of it."""
    return _show_releases(request, office, subject, project_id)


@router.post("/projects/{project_id}/releases/{release_id}/revoke")
def revoke_release(
    request: Request, subject: Asking, office: At, project_id: Name, release_id: Token, form: Sent
) -> Response:
    """Serve a released file no longer; for those who do not see the review screen, too."""
    try:
        wanted = WithReason.model_validate({"reason": str(form.get("reason", "")).strip()})
    except ValidationError:
        problem = "Say why the release is revoked: the team and the register read it."
        return _show_releases(request, office, subject, project_id, problem, 422)
    releases.revoke(office, subject, releases.output_of(office, project_id, release_id), wanted.reason)
    return _to(request, f"projects/{project_id}/releases")


def show(
    request: Request, office: Office, subject: Subject, request_id: str, file: str, problem: str = "", status: int = 200
) -> Response:
    """The review screen, with a problem on top where there is one."""
    with office.database.read() as session:
        screen = screen_of(office, session, subject, request_id, file)
        names = display_names(session, [screen.view.requested_by])
        return draw(request, "review.html", status=status, screen=screen, names=names, problem=problem)


def _show_releases(
    request: Request, office: Office, subject: Subject, project_id: str, problem: str = "", status: int = 200
) -> Response:
    return draw(
        request,
        "releases.html",
        status=status,
        problem=problem,
        project_id=project_id,
        releases=releases.releases_of(office, subject, project_id),
        revocable=releases.revocable(office, subject, project_id),
        asked=requests.requests_of(office, subject, project_id),
    )


def _projects_of(session: Session, name: str) -> list[Project]:
    """Projects that somebody is a member of, newest first."""
    mine = select(ProjectMember.project_id).where(ProjectMember.person == name)
    return list(
        session.scalars(select(Project).where(Project.project_id.in_(mine)).order_by(Project.created_at.desc()))
    )


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(f"{desk_of(request).prefix}{path}", status_code=303)
