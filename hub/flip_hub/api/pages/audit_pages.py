"""The audit log for reviewers and operators, and a project's part of it for its team: searched, shown, downloaded."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from flip_sdk.contract.log_entries import dropped_in
from flip_sdk.contract.records import Name
from sqlalchemy.orm import Session
from starlette.responses import Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.sessions import Asking, At
from flip_hub.audit_search import MOST, PAGE, Wanted, details_of, exported, search, subjects_of
from flip_hub.audit_words import WORDS, in_words
from flip_hub.database import AuditRow
from flip_hub.database.roots import tree
from flip_hub.errors import InvalidError
from flip_hub.governance import access, witness

router = APIRouter()
Short = Annotated[str, Query(max_length=200)]
ASKED = ("actor", "event", "subject", "first", "last", "text")


def wanted(
    actor: Short = "",
    event: Short = "",
    subject: Short = "",
    first: Short = "",
    last: Short = "",
    text: Short = "",
    before: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> Wanted:
    """What the address asks for."""
    return Wanted(actor.strip(), event, subject.strip(), _day(first), _day(last), text.strip(), before)


Asked = Annotated[Wanted, Depends(wanted)]


@router.get("/audit")
def audit_page(request: Request, subject: Asking, office: At, asked: Asked) -> Response:
    """The whole log."""
    office.policies.authorise(subject, "view_audit", access.HUB)
    with office.database.read() as session:
        return _page(request, session, asked, None, "")


@router.get("/audit/download.{kind}")
def audit_download(subject: Asking, office: At, asked: Asked, kind: str) -> Response:
    """What was found, of the whole log."""
    office.policies.authorise(subject, "view_audit", access.HUB)
    with office.database.read() as session:
        return _download(session, asked, None, kind)


@router.get("/projects/{project_id}/audit")
def project_audit_page(request: Request, subject: Asking, office: At, project_id: Name, asked: Asked) -> Response:
    """A project's part of the log."""
    with office.database.read() as session:
        access.permit(office, session, subject, "view_audit", project_id)
        return _page(request, session, asked, subjects_of(session, project_id), project_id)


@router.get("/projects/{project_id}/audit/download.{kind}")
def project_audit_download(subject: Asking, office: At, project_id: Name, asked: Asked, kind: str) -> Response:
    """What was found, of a project's part of the log."""
    with office.database.read() as session:
        access.permit(office, session, subject, "view_audit", project_id)
        return _download(session, asked, subjects_of(session, project_id), kind)


def _page(
    request: Request, session: Session, asked: Wanted, subjects: Sequence[str] | None, project_id: str
) -> Response:
    rows = search(session, asked, subjects, PAGE + 1)
    shown = rows[:PAGE]
    query = urlencode({name: value for name in ASKED if (value := getattr(asked, name))})
    return draw(
        request,
        "audit.html",
        rows=[(row, in_words(row.event), details_of(row)) for row in shown],
        asked=asked,
        query=query,
        older=shown[-1].sequence if len(rows) > PAGE else 0,
        events=sorted(WORDS.items(), key=lambda pair: pair[1]),
        project_id=project_id,
        most=MOST,
    )


def _download(session: Session, asked: Wanted, subjects: Sequence[str] | None, kind: str) -> Response:
    rows = search(session, asked, subjects, MOST)
    if kind == "csv":
        return _file(_table(rows), "text/csv; charset=utf-8", "audit.csv")
    if kind != "json":
        raise InvalidError("The log is downloaded as csv or json.", "Choose one of the two.")
    grown = tree(session)
    found = [{"entry": exported(row), "proof": witness.proof_of(grown, row).model_dump(mode="json")} for row in rows]
    return _file(json.dumps(found, ensure_ascii=False), "application/json", "audit.json")


def _table(rows: Sequence[AuditRow]) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["sequence", "at", "actor", "event", "in_words", "subject", "details", "hash", "no_longer_kept"])
    for row in rows:
        gone = ", ".join(dropped_in(row.reduced))
        cells = (row.at, row.actor, row.event, in_words(row.event), row.subject, row.details, row.hash, gone)
        # a spreadsheet is not to take a name for a formula
        table.writerow([row.sequence, *(f"'{cell}" if cell[:1] in "=+-@\t\r" else cell for cell in cells)])
    return text.getvalue()


def _file(content: str, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers={"content-disposition": f'attachment; filename="{name}"'})


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(f"{text} is not a day.", "Write days as 2026-11-30.") from error
