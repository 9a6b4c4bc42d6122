"""The JSON API of the airlock: checks, requests, decisions, releases, and files that come in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from flip_sdk.contract.airlock import (
    CheckView,
    DecideOutputs,
    NewRelease,
    ReleasedFile,
    ReleaseView,
    WithReason,
)
from flip_sdk.contract.ingress import DecideIngress, IngressView, NewIngress
from flip_sdk.contract.records import Digest, Name, Token
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from flip_hub.airlock import decisions, ingress, previews, releases, requests
from flip_hub.airlock.queue import queue
from flip_hub.airlock.worker import Worker
from flip_hub.api.sending import BYTES, attachment
from flip_hub.api.sessions import Asking, At

router = APIRouter()


def _worker(request: Request) -> Worker:
    worker: Worker = request.app.state.airlock
    return worker


Checks = Annotated[Worker, Depends(_worker)]


@router.post("/projects/{project_id}/airlock/checks", status_code=201)
def begin_check(subject: Asking, office: At, checks: Checks, project_id: Name, body: NewRelease) -> CheckView:
    """Begin the checks of files that are uploaded, with nothing submitted."""
    begun = requests.check(office, subject, project_id, body)
    checks.wake()
    return begun


@router.get("/airlock/checks/{check_id}")
def show_check(subject: Asking, office: At, check_id: Token) -> CheckView:
    """How far checks of one's own are, and what they found."""
    return requests.show_check(office, subject, check_id)


@router.post("/projects/{project_id}/airlock/requests", status_code=201)
def request_release(subject: Asking, office: At, checks: Checks, project_id: Name, body: NewRelease) -> ReleaseView:
    """Ask for files to be released; the same idempotency key again gives the same request."""
    asked = requests.submit(office, subject, project_id, body)
    checks.wake()
    return asked


@router.get("/projects/{project_id}/airlock/requests")
def list_requests(subject: Asking, office: At, project_id: Name) -> list[ReleaseView]:
    """A project's release requests, newest first."""
    return requests.requests_of(office, subject, project_id)


@router.get("/airlock/requests")
def list_queue(subject: Asking, office: At) -> list[ReleaseView]:
    """Open requests that an output checker may decide on: those that wait for them first, the riskiest first."""
    with office.database.read() as session:
        waiting = queue(office, session, subject)
    return [requests.show(office, subject, one.request_id) for one in waiting]


@router.get("/airlock/requests/{request_id}")
def show_request(subject: Asking, office: At, request_id: Token) -> ReleaseView:
    """One release request."""
    return requests.show(office, subject, request_id)


@router.post("/airlock/requests/{request_id}/withdraw")
def withdraw_request(subject: Asking, office: At, request_id: Token) -> ReleaseView:
    """Take back what is not decided yet."""
    return requests.withdraw(office, subject, request_id)


@router.post("/airlock/requests/{request_id}/decisions")
def decide(subject: Asking, office: At, checks: Checks, request_id: Token, body: DecideOutputs) -> ReleaseView:
    """Decide on files of a request; what the other checker said is told when both have decided."""
    decided = decisions.decide(office, subject, request_id, body)
    checks.wake()
    return decided


@router.get("/airlock/outputs/{output_id}/content", response_class=Response, responses=BYTES)
def output_content(subject: Asking, office: At, output_id: Token) -> Response:
    """The bytes of a file under review, for its checkers."""
    output, content = previews.content_for_checker(office, subject, output_id)
    return attachment(content, output.path)


@router.post("/airlock/outputs/{output_id}/revoke")
def revoke(subject: Asking, office: At, output_id: Token, body: WithReason) -> ReleaseView:
    """Serve a released file no longer."""
    return releases.revoke(office, subject, output_id, body.reason)


@router.get("/projects/{project_id}/releases")
def list_releases(subject: Asking, office: At, project_id: Name) -> list[ReleasedFile]:
    """What a project released, newest first; revoked releases stay in it."""
    return releases.releases_of(office, subject, project_id)


@router.get("/releases/{release_id}")
def show_release(subject: Asking, office: At, release_id: Token) -> ReleasedFile:
    """One released file."""
    return releases.show(office, subject, release_id)


@router.get("/releases/{release_id}/{part}", response_class=Response, responses=BYTES)
def fetch_release(subject: Asking, office: At, release_id: Token, part: Name) -> Response:
    """A released file's bytes (``file``), its Five Safes RO-Crate (``crate``) or its ``criteria``."""
    found = releases.serve(office, subject, release_id, part)
    return attachment(found.content, found.name)


@router.put("/projects/{project_id}/ingress/uploads/{digest}", status_code=204)
async def upload_ingress(subject: Asking, office: At, project_id: Name, digest: Digest, request: Request) -> Response:
    """Store a file that is to be brought in. No workspace reads it before somebody let it in."""
    limit = await run_in_threadpool(ingress.upload_limit, office, subject, project_id)
    with office.blobs.writer(limit) as writer:
        async for piece in request.stream():
            await run_in_threadpool(writer.add, piece)
        await run_in_threadpool(writer.commit, digest)
    await run_in_threadpool(ingress.keep_upload, office, subject, project_id, digest, writer.size)
    return Response(status_code=204)


@router.post("/projects/{project_id}/ingress", status_code=201)
def request_ingress(subject: Asking, office: At, project_id: Name, body: NewIngress) -> IngressView:
    """Ask for an uploaded file to appear in the ``incoming`` folder of the project's workspaces."""
    return ingress.request(office, subject, project_id, body)


@router.get("/projects/{project_id}/ingress")
def list_ingress(subject: Asking, office: At, project_id: Name) -> list[IngressView]:
    """A project's files on their way in, newest first."""
    return ingress.ingress_of(office, subject, project_id)


@router.get("/ingress")
def list_ingress_queue(subject: Asking, office: At) -> list[IngressView]:
    """Files on their way in that this person may decide on, oldest first."""
    return ingress.waiting(office, subject)


@router.get("/ingress/{ingress_id}/content", response_class=Response, responses=BYTES)
def ingress_content(subject: Asking, office: At, ingress_id: Token) -> Response:
    """The bytes of a file on its way in, for whoever decides on it."""
    path, content = ingress.content_of(office, subject, ingress_id)
    return attachment(content, path)


@router.post("/ingress/{ingress_id}/decision")
def decide_ingress(subject: Asking, office: At, ingress_id: Token, body: DecideIngress) -> IngressView:
    """Let a file in, or not."""
    return ingress.decide(office, subject, ingress_id, body)


@router.post("/ingress/{ingress_id}/withdraw")
def withdraw_ingress(subject: Asking, office: At, ingress_id: Token) -> IngressView:
    """Take back a file that nobody decided on yet."""
    return ingress.withdraw(office, subject, ingress_id)
