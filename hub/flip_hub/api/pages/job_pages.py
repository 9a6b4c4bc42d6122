"""A job's page: what was asked, how far it is, and what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from flip_sdk.contract.records import Token
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.explaining import explain
from flip_sdk.pricing import epsilon_of
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.names import display_names
from flip_hub.api.sessions import CSRF_FIELD, Asking, At, check_csrf, desk_of
from flip_hub.database import JobResultRow
from flip_hub.governance import access, intake, jobs
from flip_hub.governance.sharing import trust_model_words
from flip_hub.governance.when import STATES_OF_ACTION, state_of

router = APIRouter()
MOST_ROWS = 200
"""Of an answer; a notebook shows all."""


@router.get("/jobs/{job_id}")
def job_page(request: Request, subject: Asking, office: At, job_id: Token) -> Response:
    """One job; its steps go on while the page is open."""
    with office.database.read() as session:
        job = jobs.load(office, session, subject, "view_jobs", job_id)
        project = access.visible(office, session, subject, job.project_id)
        kept = session.get(JobResultRow, job_id)
        may_see = subject.name in project.members and state_of(project) in STATES_OF_ACTION["view_result"]
        target = access.object_of(session, project)
        return draw(
            request,
            "job.html",
            job=jobs.view(session, job),
            spec=job.spec,
            epsilon=epsilon_of(job.spec),
            cohort=explain(job.spec.cohort),
            noise=trust_model_words(job.spec, job.trusts),
            events=jobs.events_after(session, job, 0).events,
            result=kept.content if kept and may_see else None,
            most_rows=MOST_ROWS,
            ended=job.state in JOB.ends(),
            cancelling=job.cancel_requested,
            may_cancel=office.policies.decide(subject, "cancel_job", target).allowed,
            waits=job.state == JobState.VALIDATED,
            may_decide=office.policies.decide(subject, "sign_off_job", target).allowed,
            names=display_names(session),
        )


@router.post("/jobs/{job_id}/cancel")
def cancel(
    request: Request,
    subject: Asking,
    office: At,
    job_id: Token,
    token: Annotated[str, Form(alias=CSRF_FIELD)] = "",
) -> Response:
    """The button of a job's page."""
    desk = desk_of(request)
    check_csrf(desk, request, token)
    intake.cancel_job(office, subject, job_id)
    return RedirectResponse(f"{desk.prefix}jobs/{job_id}", status_code=303)
