"""Running the governance service, where JupyterHub wants it."""

from __future__ import annotations

import os
from importlib.metadata import version
from urllib.parse import urlsplit

import uvicorn

from flip_hub.api import create_app
from flip_hub.config import HubConfig
from flip_hub.database import Entry
from flip_hub.governance.office import Office

_GRACE_SECONDS = 3


def serve(config: HubConfig) -> None:
    """Serve until SIGTERM or SIGINT, at ``JUPYTERHUB_SERVICE_URL`` or the configured port."""
    address = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", f"http://127.0.0.1:{config.service_port}"))
    app = create_app(config)
    _record_start(config)
    uvicorn.run(
        app,
        host=address.hostname or "127.0.0.1",
        port=address.port or config.service_port,
        log_config=None,
        access_log=False,
        server_header=False,
        # open long polls would hold a restart back
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _record_start(config: HubConfig) -> None:
    office = Office.of(config)
    details = {"version": version("flip-hub"), "policies": office.policies.digest}
    with office.database.write(Entry("governance", "service.started", "hub", details)):
        pass
