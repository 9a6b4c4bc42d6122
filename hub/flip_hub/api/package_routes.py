"""The index of approved packages, as pip asks for it (PEP 503, 691), for a project's own workspaces."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from flip_sdk.contract.records import Name
from simple_repository import model
from simple_repository.content_negotiation import Format, select_response_format
from simple_repository.errors import UnsupportedSerialization
from simple_repository.serializer import serialize
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from flip_hub.api.sending import BYTES
from flip_hub.api.sessions import Asking, At
from flip_hub.errors import DeniedError
from flip_hub.governance import installing
from flip_hub.packages.index import Index

router = APIRouter()
Package = Annotated[str, Path(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$")]
Wheel = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.+!-]{5,250}\.whl$")]


@router.get("/projects/{project_id}/packages/simple/", response_class=Response)
async def list_packages(subject: Asking, office: At, project_id: Name, request: Request) -> Response:
    """Every approved package."""
    await run_in_threadpool(installing.check, office, subject, project_id)
    return _page(request, _index(request).names())


@router.get("/projects/{project_id}/packages/simple/{package}/", response_class=Response)
async def show_package(subject: Asking, office: At, project_id: Name, package: Package, request: Request) -> Response:
    """A package's approved wheels."""
    await run_in_threadpool(installing.check, office, subject, project_id)
    try:
        return _page(request, await _index(request).page(package))
    except DeniedError as error:
        await run_in_threadpool(installing.refused, office, subject, project_id, package, error)
        raise


@router.get("/projects/{project_id}/packages/files/{package}/{wheel}", response_class=FileResponse, responses=BYTES)
async def fetch_package(
    subject: Asking, office: At, project_id: Name, package: Package, wheel: Wheel, request: Request
) -> FileResponse:
    """An approved wheel."""
    await run_in_threadpool(installing.check, office, subject, project_id)
    path, digest = await _index(request).wheel(package, wheel)
    await run_in_threadpool(installing.handed_over, office, subject, project_id, wheel, digest)
    return FileResponse(path, media_type="application/octet-stream")


def _index(request: Request) -> Index:
    index: Index = request.app.state.packages
    return index


def _page(request: Request, page: model.ProjectList | model.ProjectDetail) -> Response:
    try:
        chosen = select_response_format(request.headers.get("accept", ""))
    except UnsupportedSerialization:
        chosen = Format.JSON_V1
    return Response(serialize(page, chosen), media_type=chosen.value)
