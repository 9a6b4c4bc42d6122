"""The JSON API: blobs, jobs, results, dashboards, and what changes of a project."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from flip_sdk.contract.api import (
    DashboardView,
    JobEvents,
    JobResult,
    JobView,
    ProjectChanges,
    PublishDashboard,
    ShowVersion,
    SubmitJob,
)
from flip_sdk.contract.applications import JobDecision
from flip_sdk.contract.records import Digest, Name, Token
from flip_sdk.contract.states import JOB
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from flip_hub.api.pulse import Pulse, has_gone_on
from flip_hub.api.sending import BYTES
from flip_hub.api.sessions import Asking, At
from flip_hub.governance import changes, dashboards, deciding, gallery, intake, jobs, uploads
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

LONGEST_WAIT = 20.0
MARK = r"^[0-9a-f-]{0,64}$"
router = APIRouter()


@router.put("/projects/{project_id}/blobs/{digest}", status_code=204)
async def upload(subject: Asking, office: At, project_id: Name, digest: Digest, request: Request) -> Response:
    """Store bytes under their digest, for this project."""
    limit = await run_in_threadpool(uploads.check, office, subject, project_id)
    with office.blobs.writer(limit) as writer:
        async for piece in request.stream():
            await run_in_threadpool(writer.add, piece)
        await run_in_threadpool(uploads.keep, office, subject, project_id, digest, writer)
    return Response(status_code=204)


@router.get("/projects/{project_id}/blobs/{digest}", response_class=Response, responses=BYTES)
def download(subject: Asking, office: At, project_id: Name, digest: Digest) -> Response:
    """The bytes of a digest that this project holds."""
    path = uploads.path_of(office, subject, project_id, digest)
    return FileResponse(path, media_type="application/octet-stream")


@router.post("/projects/{project_id}/jobs", status_code=201)
def submit_job(subject: Asking, office: At, project_id: Name, body: SubmitJob) -> JobView:
    """Submit a job; the same idempotency key again gives the same job."""
    return intake.submit_job(office, subject, project_id, body)


@router.get("/projects/{project_id}/jobs")
def list_jobs(subject: Asking, office: At, project_id: Name) -> list[JobView]:
    """A project's jobs, newest first."""
    with office.database.read() as session:
        return jobs.jobs_of(office, session, subject, project_id)


@router.get("/jobs/{job_id}")
def show_job(subject: Asking, office: At, job_id: Token) -> JobView:
    """One job."""
    with office.database.read() as session:
        return jobs.view(session, jobs.load(office, session, subject, "view_jobs", job_id))


@router.get("/jobs/{job_id}/events")
async def job_events(
    request: Request,
    subject: Asking,
    office: At,
    job_id: Token,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT)] = 0,
) -> JobEvents:
    """A job's steps after one of them; held back up to ``wait`` seconds while there are none."""
    page = await run_in_threadpool(_events, office, subject, job_id, after)
    if page.events or page.job.state in JOB.ends() or not wait:
        return page
    pulse: Pulse[tuple[int, str]] = request.app.state.pulse
    await pulse.wait(job_id, has_gone_on(after), wait)
    return await run_in_threadpool(_events, office, subject, job_id, after)


@router.get("/projects/{project_id}/changes")
async def project_changes(
    request: Request,
    subject: Asking,
    office: At,
    project_id: Name,
    after: Annotated[str, Query(pattern=MARK)] = "",
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT)] = 0,
) -> ProjectChanges:
    """Which parts of a project are not as they were at a mark; held back up to ``wait`` seconds while none is."""
    found = await run_in_threadpool(changes.since, office, subject, project_id, after)
    if found.changed or not wait:
        return found
    pulse: Pulse[str] = request.app.state.projects_pulse
    await pulse.wait(project_id, lambda mark: mark != after, wait)
    return await run_in_threadpool(changes.since, office, subject, project_id, after)


@router.post("/jobs/{job_id}/cancel")
def cancel_job(subject: Asking, office: At, job_id: Token) -> JobView:
    """Ask for a job to be stopped."""
    return intake.cancel_job(office, subject, job_id)


@router.post("/jobs/{job_id}/sign-off")
def decide_on_job(subject: Asking, office: At, job_id: Token, body: JobDecision) -> JobView:
    """A reviewer approves or refuses a job that waits for a person."""
    return deciding.decide(office, subject, job_id, body)


@router.get("/jobs/{job_id}/result")
def job_result(subject: Asking, office: At, job_id: Token) -> JobResult:
    """What a completed job released."""
    with office.database.read() as session:
        return jobs.result(office, session, subject, job_id)


@router.post("/projects/{project_id}/dashboards")
def publish_dashboard(subject: Asking, office: At, project_id: Name, body: PublishDashboard) -> DashboardView:
    """Publish a notebook for the project's members."""
    return dashboards.publish(office, subject, project_id, body)


@router.get("/projects/{project_id}/dashboards")
def list_dashboards(subject: Asking, office: At, project_id: Name) -> list[DashboardView]:
    """A project's dashboards."""
    with office.database.read() as session:
        return dashboards.dashboards_of(office, session, subject, project_id)


@router.get("/projects/{project_id}/dashboards/{board}/versions")
def list_versions(subject: Asking, office: At, project_id: Name, board: Name) -> list[DashboardView]:
    """All versions of a dashboard, the newest first."""
    return dashboards.history(office, subject, project_id, board)


@router.get("/dashboards")
def list_all_dashboards(subject: Asking, office: At) -> list[DashboardView]:
    """Every dashboard, of all projects, that is shown to whoever asks; the newest release first."""
    with office.database.read() as session:
        return [dashboards.view(session, row) for row in gallery.seen_by(office, session, subject)]


@router.post("/projects/{project_id}/dashboards/{dashboard}/shown")
def show_version(subject: Asking, office: At, project_id: Name, dashboard: Name, body: ShowVersion) -> DashboardView:
    """Show another released version of a dashboard."""
    return dashboards.show_version(office, subject, project_id, dashboard, body.version)


def _events(office: Office, subject: Subject, job_id: str, after: int) -> JobEvents:
    with office.database.read() as session:
        return jobs.events_after(session, jobs.load(office, session, subject, "view_jobs", job_id), after)
