"""The governance service's application: routes, errors, headers, and the sweep that writes expiries down."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI, Request
from flip_sdk.contract.api import ErrorBody
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import Mount

from flip_hub.airlock.worker import Worker
from flip_hub.api import (
    airlock_routes,
    application_routes,
    cell_routes,
    emergency_routes,
    job_routes,
    link_routes,
    operating_routes,
    package_routes,
    people_routes,
    pulse,
    register_routes,
    routes,
    workspace_routes,
)
from flip_hub.api.answers import handle_errors
from flip_hub.api.authentication import Authenticator, HubAuthenticator
from flip_hub.api.duties import duties
from flip_hub.api.guard import Guard
from flip_hub.api.pages import (
    airlock_pages,
    application_pages,
    audit_pages,
    catalogue_pages,
    dashboard_pages,
    draft_pages,
    emergency_pages,
    forms,
    ingress_pages,
    job_pages,
    link_pages,
    people_pages,
    project_pages,
    public_pages,
    register_pages,
    sign_in,
    sign_off_pages,
    usage_pages,
)
from flip_hub.api.sessions import Asking, At, Desk
from flip_hub.api.static_files import static_routes
from flip_hub.config import HubConfig
from flip_hub.errors import UnavailableError
from flip_hub.governance.office import Office
from flip_hub.keys import secret
from flip_hub.packages.index import Index

DEFAULT_PREFIX = "/services/flip/"
THREADS = 12
"""Requests that one process works on at once; those that wait for a job's news need no thread."""
_log = logging.getLogger(__name__)
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (401, 403, 404, 409, 413, 422, 500, 503)
}


def create_app(
    config: HubConfig, authenticator: Authenticator | None = None, *, components: Path | None = None
) -> FastAPI:
    """The governance service.

    Args:
        config: the hub's settings.
        authenticator: who is asking; without it, JupyterHub.
        components: folder of nhsuk-frontend's styles; without it, that of the hub's npm packages.
    """
    office = Office.of(config)
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", DEFAULT_PREFIX)
    app = FastAPI(title=config.title, version="1", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.desk = Desk(
        office=office,
        authenticator=authenticator or HubAuthenticator(secret(config, "forms").encode()),
        prefix=prefix,
        csrf_key=secret(config, "forms").encode(),
        secure=config.hub_url.startswith("https:"),
    )
    app.state.pulse = pulse.of_jobs(office.database)
    app.state.projects_pulse = pulse.of_projects(config, office.database)
    app.state.airlock = Worker(office)
    app.state.packages = Index(config)
    app.state.has_duties = True
    base = prefix.rstrip("/")
    governing = (routes, application_routes, job_routes, link_routes, airlock_routes, people_routes, emergency_routes)
    working = (cell_routes, package_routes, workspace_routes)
    for api in (*governing, *working, register_routes, operating_routes):
        app.include_router(api.router, prefix=f"{base}/api", responses=_ERRORS)
    app.include_router(_service, prefix=f"{base}/api", responses=_ERRORS)
    applying = (project_pages, application_pages, draft_pages, forms, sign_in)
    for page in (
        *applying,
        catalogue_pages,
        dashboard_pages,
        link_pages,
        job_pages,
        sign_off_pages,
        ingress_pages,
        airlock_pages,
        public_pages,
        register_pages,
        audit_pages,
        people_pages,
        emergency_pages,
        usage_pages,
    ):
        app.include_router(page.router, prefix=base, include_in_schema=False)
    app.router.routes.append(Mount(f"{base}/static", routes=static_routes(components or _components(config))))
    app.add_middleware(Guard, prefix=prefix)
    handle_errors(app)
    return app


_service = APIRouter()


@_service.get("/health")
def health(office: At) -> dict[str, str]:
    """Whether the service and its database work; the one route that needs no sign-in."""
    try:
        with office.database.read() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        raise UnavailableError("The hub's database does not answer.", "Tell the operator.") from error
    return {"status": "ok"}


@_service.get("/openapi.json", include_in_schema=False)
def openapi(request: Request, subject: Asking) -> dict[str, Any]:  # noqa: ARG001
    """This API, for signed-in people."""
    schema: dict[str, Any] = request.app.openapi()
    return schema


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    desk: Desk = app.state.desk
    # fewer than the database's pool has connections, as a page may need a second one
    current_default_thread_limiter().total_tokens = THREADS
    if not app.state.has_duties:
        yield
        return
    async with duties(desk.office, app.state.airlock):
        yield


def _components(config: HubConfig) -> Path:
    from flip_hub.jupyterhub.proxy import node_modules

    return node_modules(config) / "nhsuk-frontend" / "dist" / "nhsuk"
