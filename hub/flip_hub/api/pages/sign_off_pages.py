"""A job that a person decides on: all the evidence on one page, and the form that decides."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from flip_sdk.contract.applications import JobDecision
from flip_sdk.contract.records import Token
from flip_sdk.contract.states import JobState
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent
from flip_hub.api.pages.names import display_names
from flip_hub.api.sessions import Asking, At, desk_of
from flip_hub.errors import ConflictError, InvalidError
from flip_hub.governance import access, deciding, jobs
from flip_hub.governance.envelope import RULE_WORDS, rule_of
from flip_hub.governance.evidence import evidence
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

router = APIRouter()


@router.get("/jobs/{job_id}/sign-off")
def sign_off_page(request: Request, subject: Asking, office: At, job_id: Token) -> Response:
    """Everything to decide by; the project's team sees the same."""
    return _show(request, office, subject, job_id)


@router.post("/jobs/{job_id}/sign-off")
def decide(request: Request, subject: Asking, office: At, job_id: Token, form: Sent) -> Response:
    """Approve, refuse, or step aside."""
    with office.database.read() as session:
        jobs.load(office, session, subject, "sign_off_job", job_id)
    declares = str(form.get("declares", ""))
    said = "refuse" if declares == "conflict" else str(form.get("decision", ""))
    try:
        decision = JobDecision.model_validate(
            {
                "decision": said,
                "reason": str(form.get("reason", "")),
                "declares": declares or None,
                "conflict": str(form.get("conflict", "")),
            }
        )
    except ValidationError as error:
        fields = {str(detail["loc"][0]) for detail in error.errors()}
        problem = "Choose: sign off, or refuse." if "decision" in fields else "Texts have at most 4,000 characters."
        return _show(request, office, subject, job_id, problem, 422, form)
    try:
        deciding.decide(office, subject, job_id, decision)
    except InvalidError as error:
        return _show(request, office, subject, job_id, f"{error.message} {error.mend}", 422, form)
    except ConflictError as error:
        return _show(request, office, subject, job_id, f"{error.message} {error.mend}", 409, form)
    return RedirectResponse(f"{desk_of(request).prefix}jobs/{job_id}", status_code=303)


def _show(
    request: Request,
    office: Office,
    subject: Subject,
    job_id: str,
    problem: str = "",
    status: int = 200,
    sent: Mapping[str, object] | None = None,
) -> Response:
    with office.database.read() as session:
        job = jobs.load(office, session, subject, "view_jobs", job_id)
        project = access.visible(office, session, subject, job.project_id)
        shown = evidence(office, session, project, job)
        waits = job.state == JobState.VALIDATED and shown.row is not None
        decision = office.policies.decide(subject, "sign_off_job", access.object_of(session, project))
        decided_by = shown.row.decided_by if shown.row else ""
        return draw(
            request,
            "sign_off.html",
            status=status,
            problem=problem,
            sent=sent or {},
            job=jobs.view(session, job),
            project=project,
            shown=shown,
            waits=waits,
            rule=RULE_WORDS[rule_of(project)],
            may_decide=waits and decision.allowed,
            why_not=f"{decision.reason} {decision.mend}".strip(),
            names=display_names(session, [job.submitted_by, decided_by, *(one.submitted_by for one in shown.earlier)]),
        )
