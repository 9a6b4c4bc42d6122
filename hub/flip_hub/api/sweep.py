"""What governance does of its own accord: ends come about, people are warned, workspaces stop, projects are purged."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote

import httpx
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from flip_hub.errors import AuditError
from flip_hub.governance import emergencies, usage, witness, workspaces
from flip_hub.governance.closing import purge_due
from flip_hub.governance.deciding import end_due
from flip_hub.governance.expiry import warn
from flip_hub.governance.office import Office
from flip_hub.governance.projects import expire

SWEEP_SECONDS = 15.0
_log = logging.getLogger(__name__)
_STOPPED = frozenset({204, 404})


class Stopper(Protocol):
    """Stops workspaces."""

    def stop(self, person: str, project: str) -> bool:
        """Stop a person's workspace of a project; whether it is known to be stopped now."""
        ...


class HubStopper:
    """JupyterHub's API, by a token that can stop workspaces and nothing else.

    Args:
        environ: JupyterHub tells its services there where it is, and their token.
        transport: of the requests; tests put their own there.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=environ.get("JUPYTERHUB_API_URL", "http://127.0.0.1:8081/hub/api"),
            headers={"Authorization": f"token {environ.get('JUPYTERHUB_API_TOKEN', '')}"},
            timeout=30.0,
            trust_env=False,
            transport=transport,
        )

    def stop(self, person: str, project: str) -> bool:
        """Stop a person's workspace of a project; whether it is known to be stopped now."""
        try:
            answer = self._client.delete(f"/users/{quote(person, safe='')}/servers/{project}")
        except httpx.HTTPError as error:
            _log.warning("the workspace of %s in %s could not be stopped: %s", person, project, error)
            return False
        if answer.status_code not in {*_STOPPED, 202}:
            _log.warning("the workspace of %s in %s was not stopped: %s", person, project, answer.status_code)
        return answer.status_code in _STOPPED


def sweep(office: Office, stopper: Stopper) -> None:
    """Everything that is due, once."""
    for project_id in expire(office.database):
        _log.info("project %s expired", project_id)
    for job_id in end_due(office.database):
        _log.info("job %s ended without a decision", job_id)
    for emergency_id in emergencies.end_due(office.database):
        _log.info("emergency access %s is over", emergency_id)
    for project_id in warn(office.database):
        _log.info("the people of project %s were told that it ends soon", project_id)
    if lost := usage.end_lost(office.database):
        _log.info("%d workspaces of which nothing is heard do not count any more", lost)
    for project_id, members in workspaces.to_close(office.database):
        stopped = [stopper.stop(person, project_id) for person in members]
        if all(stopped):
            workspaces.closed(office.database, project_id)
    for project_id in purge_due(office):
        _log.info("project %s was purged", project_id)
    if made := witness.keep_up(office.config, office.database):
        _log.info("the audit log's root of %s was signed", made.day)


async def sweep_for_ever(office: Office, stopper: Callable[[], Stopper]) -> None:
    """Sweep every few seconds; what fails is tried again."""
    hub = stopper()
    while True:
        try:
            await run_in_threadpool(sweep, office, hub)
        except (SQLAlchemyError, OSError, AuditError):
            _log.exception("what was due could not be done")
        await asyncio.sleep(SWEEP_SECONDS)
