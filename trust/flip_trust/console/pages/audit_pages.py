"""The audit log: searched, verified, and taken away as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from flip_trust import audit
from flip_trust.audit import Entry
from flip_trust.console import audit_view
from flip_trust.console.audit_view import Search
from flip_trust.console.desk import Asking, At, Desk, Sent
from flip_trust.console.drawing import draw
from flip_trust.console.paging import address
from flip_trust.console.words import EVENTS
from flip_trust.errors import AuditBrokenError, ConsentError

router = APIRouter(prefix="/audit")
Part = Annotated[str, Query(max_length=audit_view.LONGEST)]


def _search(actor: Part = "", event: Part = "", subject: Part = "", since: Part = "", until: Part = "") -> Search:
    return Search(actor, event, subject, since, until)


Wanted = Annotated[Search, Depends(_search)]


@router.get("")
def audit_page(
    request: Request, desk: At, person: Asking, wanted: Wanted, before: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """Entries that fit, the newest first."""
    desk.policies.authorise(person, "view_audit")
    return _page(request, desk, wanted, before)


@router.post("/verify")
def verify(request: Request, desk: At, person: Asking, _form: Sent) -> Response:
    """Walk the whole chain, and say whether it is whole."""
    desk.policies.authorise(person, "verify_audit")
    try:
        count, last = audit.verify_database(desk.database)
    except AuditBrokenError as error:
        return _page(request, desk, Search(), 0, broken=error)
    return _page(request, desk, Search(), 0, whole=count, last=last)


@router.post("/export")
def export(desk: At, person: Asking, _form: Sent) -> Response:
    """Every entry as one JSON object a line; the taking of the copy is the last one in it."""
    desk.policies.authorise(person, "export_audit")
    desk.note(Entry(person.actor, "audit.exported", f"trust/{desk.config.name}"))
    name = f"{desk.config.name}-audit-{desk.clock():%Y-%m-%d}.jsonl"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_lines(desk), media_type="application/jsonl", headers=headers)


def _lines(desk: Desk) -> Iterator[str]:
    for entry in audit.entries_of(desk.database):
        yield json.dumps(entry) + "\n"


def _page(request: Request, desk: Desk, wanted: Search, before: int, **content: object) -> Response:
    problem = ""
    try:
        found = audit_view.find(desk.database, wanted, before)
    except ConsentError as error:
        problem, found = f"{error.message} {error.mend}", audit_view.Found((), 0)
    total = audit_view.count(desk.database)
    older = address("/audit", {**wanted.as_query(), "before": str(found.older)}) if found.older else ""
    shown = {"search": wanted, "found": found, "older": older, "total": total, "events": EVENTS, "problem": problem}
    return draw(request, "audit.html", status=422 if problem else 200, **shown, **content)
