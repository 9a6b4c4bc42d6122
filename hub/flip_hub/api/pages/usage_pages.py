"""Pages of workspaces: what a project's may use, and the report of what everybody used."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from flip_sdk.contract.records import Name
from flip_sdk.contract.workspaces import NewResources
from flip_sdk.errors import NotAllowedError
from pydantic import ValidationError
from starlette.responses import Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent, to_project
from flip_hub.api.pages.names import display_names
from flip_hub.api.pages.project_pages import show
from flip_hub.api.sessions import Asking, At
from flip_hub.errors import InvalidError
from flip_hub.governance import access, resources, usage_report

router = APIRouter()
Month = Annotated[str, Query(max_length=7)]


@router.post("/projects/{project_id}/resources")
def give(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """Say what a project's workspaces may use."""
    with office.database.read() as session:
        access.permit(office, session, subject, "set_resources", project_id)
    quota = str(form.get("gpu_hours", "")).strip()
    try:
        sent = {"profiles": form.getlist("profiles"), "gpu_hours": quota or None}
        resources.give(office, subject, project_id, NewResources.model_validate(sent))
    except NotAllowedError:
        raise
    except (ValidationError, InvalidError):
        problem = "Choose profiles out of the list, and give GPU-hours as a number of 0 or more, or leave them empty."
        return show(request, office, subject, project_id, problem, status=422, sent=form)
    return to_project(request, project_id)


@router.get("/usage")
def usage_page(request: Request, subject: Asking, office: At, first: Month = "", last: Month = "") -> Response:
    """What everybody used, by month, project and person."""
    problem = ""
    try:
        lines = usage_report.report(office, subject, first, last)
    except InvalidError as error:
        problem, first, last = f"{error.message} {error.mend}", "", ""
        lines = usage_report.report(office, subject)
    with office.database.read() as session:
        names = display_names(session, {line.person for line in lines})
    return draw(
        request,
        "usage.html",
        status=422 if problem else 200,
        problem=problem,
        lines=lines,
        names=names,
        first=first or usage_report.this_month(),
        last=last or first or usage_report.this_month(),
        query=urlencode({"first": first, "last": last}),
        totals={
            name: sum(getattr(line, name) for line in lines) for name in ("starts", "hours", "cpu_hours", "gpu_hours")
        },
    )


@router.get("/usage/download.csv")
def usage_file(subject: Asking, office: At, first: Month = "", last: Month = "") -> Response:
    """The same as a table."""
    content = usage_report.table(usage_report.report(office, subject, first, last))
    headers = {"content-disposition": 'attachment; filename="usage.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)
