"""A submitted application: read with the comments on it, compared with another version of it, agreed to."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request
from flip_sdk.contract.applications import NewComment, NewSignature
from flip_sdk.contract.filling import raw_of
from flip_sdk.contract.form import SECTIONS
from flip_sdk.contract.records import Name
from flip_sdk.meaning import meaning
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent
from flip_hub.api.pages.names import display_names
from flip_hub.api.pages.project_pages import may
from flip_hub.api.sessions import Asking, At, Number, desk_of
from flip_hub.database import Project
from flip_hub.errors import ConflictError, InvalidError
from flip_hub.governance import access, agreement, closing, comments, submissions, trusts
from flip_hub.governance.office import Office
from flip_hub.keys import signing_key
from flip_hub.policy import Subject

router = APIRouter()
_ITEM = re.compile(r"\n(?=\d+\. )")
Version = Annotated[int | None, Query(ge=1, le=100_000)]


@router.get("/projects/{project_id}/application")
def application_page(
    request: Request, subject: Asking, office: At, project_id: Name, version: Version = None
) -> Response:
    """All of an application, as it was submitted, with the comments beside its fields."""
    with office.database.read() as session:
        project = access.visible(office, session, subject, project_id)
        shown = submissions.submitted(session, project, version)
        threads = comments.threads_of(session, project)
        return draw(
            request,
            "application.html",
            project=project,
            shown=shown,
            versions=submissions.submissions(session, project),
            sections=SECTIONS,
            raw=raw_of(shown.application),
            lines_of=submissions.lines_of,
            words_of=submissions.words_of,
            meaning=meaning(shown.application.epsilon, shown.application.delta),
            threads=threads,
            unresolved=[(f, one) for s in SECTIONS for f in s.fields for one in threads.get(f.name, ()) if one.open],
            names=display_names(
                session, project.members, {trust.name: trust.title for trust in trusts.enrolled(session)}
            ),
            may_comment=may(office, session, subject, project, "comment_project"),
        )


@router.post("/projects/{project_id}/comments")
def comment(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """Comment on a field, or answer a comment."""
    answers = str(form.get("answers", ""))
    try:
        wanted = NewComment(
            field=str(form.get("field", "")),
            text=str(form.get("text", "")).strip(),
            answers=int(answers) if answers.isdecimal() and len(answers) < 10 else None,
        )
    except ValidationError as error:
        raise InvalidError("A comment has 1 to 4,000 characters.", "Go back and write it.") from error
    made = comments.comment(office, subject, project_id, wanted)
    return _to_field(request, project_id, made.field)


@router.post("/projects/{project_id}/comments/{comment_id}")
def resolve(
    request: Request, subject: Asking, office: At, project_id: Name, comment_id: Number, form: Sent
) -> Response:
    """Close a thread, or open it again."""
    made = comments.resolve(office, subject, project_id, comment_id, resolved=form.get("does") == "resolve")
    return _to_field(request, project_id, made.field)


@router.get("/projects/{project_id}/versions")
def versions_page(
    request: Request,
    subject: Asking,
    office: At,
    project_id: Name,
    before: Version = None,
    after: Version = None,
) -> Response:
    """What is different between two submissions; the last two unless told."""
    with office.database.read() as session:
        project = access.visible(office, session, subject, project_id)
        new = submissions.submitted(session, project, after)
        old = submissions.submitted(session, project, before or max(new.version - 1, 1))
        return draw(
            request,
            "versions.html",
            project=project,
            versions=submissions.submissions(session, project),
            old=old,
            new=new,
            changes=submissions.differences(old.application, new.application),
            names=display_names(session),
        )


@router.get("/projects/{project_id}/agreement")
def agreement_page(request: Request, subject: Asking, office: At, project_id: Name) -> Response:
    """The data access agreement, who signed it, and the form to sign it with."""
    return _agreement(request, office, subject, project_id)


@router.get("/projects/{project_id}/agreement.md")
def agreement_file(subject: Asking, office: At, project_id: Name) -> Response:
    """The agreement's text, to the byte that is signed."""
    with office.database.read() as session:
        found = _current(office, session, subject, project_id)[1]
    name = f"{project_id}-agreement-v{found.version}.md"
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-flip-digest": found.digest}
    return Response(found.text, media_type="text/markdown", headers=headers)


@router.post("/projects/{project_id}/agreement")
def sign(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """Put one's name under it."""
    name, agrees = str(form.get("typed_name", "")).strip(), form.get("agrees") == "yes"
    try:
        wanted = NewSignature(agreement=str(form.get("agreement", "")), typed_name=name)
    except ValidationError:
        return _agreement(request, office, subject, project_id, {"typed_name": "Type your name, as you sign."}, name)
    if not agrees:
        return _agreement(
            request, office, subject, project_id, {"agrees": "Say that you have read it and agree."}, name
        )
    try:
        agreement.sign(office, subject, project_id, wanted)
    except ConflictError as error:
        problem = {"agrees": f"{error.message} {error.mend}"}
        return _agreement(request, office, subject, project_id, problem, name)
    return RedirectResponse(f"{desk_of(request).prefix}projects/{project_id}/agreement", status_code=303)


@router.get("/projects/{project_id}/certificate")
def certificate_page(request: Request, subject: Asking, office: At, project_id: Name) -> Response:
    """What became of a closed project's data."""
    signed = closing.certificate(office, subject, project_id)
    key = signing_key(office.config, "governance").public
    with office.database.read() as session:
        names = display_names(session, [signed.certificate.closed_by])
    return draw(request, "certificate.html", signed=signed, certificate=signed.certificate, key=key, names=names)


def _agreement(
    request: Request,
    office: Office,
    subject: Subject,
    project_id: str,
    problems: dict[str, str] | None = None,
    typed_name: str = "",
) -> Response:
    with office.database.read() as session:
        project, found = _current(office, session, subject, project_id)
        signed = agreement.signatures(session, project)
        return draw(
            request,
            "agreement.html",
            status=422 if problems else 200,
            project=project,
            agreement=found,
            blocks=_blocks(found.text),
            signed=signed,
            missing=[name for name in project.members if name not in {one.person for one in signed}],
            may_sign=may(office, session, subject, project, "sign_agreement")
            and subject.name not in {one.person for one in signed},
            names=display_names(session),
            problems=problems or {},
            typed_name=typed_name,
        )


def _current(
    office: Office, session: Session, subject: Subject, project_id: str
) -> tuple[Project, agreement.Agreement]:
    project = access.visible(office, session, subject, project_id)
    submissions.submitted(session, project)
    return project, agreement.agreement_of(project)


def _blocks(text: str) -> list[tuple[str, str]]:
    """The agreement's few kinds of Markdown, block by block: what it is, and its words."""
    kinds = {"# ": "title", "## ": "heading", "**": "label", ">": "quote"}
    found = []
    for block in (piece for part in text.split("\n\n") for piece in _ITEM.split(part)):
        kind = next((kind for start, kind in kinds.items() if block.startswith(start)), "words")
        lines = [line.strip("#*> ").strip() if kind != "words" else line.strip() for line in block.splitlines()]
        found.append((kind, ("\n" if kind == "quote" else " ").join(lines)))
    return found


def _to_field(request: Request, project_id: str, field: str) -> Response:
    page = f"{desk_of(request).prefix}projects/{project_id}/application"
    return RedirectResponse(f"{page}#field-{field}", status_code=303)
