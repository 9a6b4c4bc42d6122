"""Running the governance service, where JupyterHub wants it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import uvicorn

from flip_hub.api import create_app
from flip_hub.config import HubConfig

_GRACE_SECONDS = 3


def serve(config: HubConfig) -> None:
    """Serve until SIGTERM or SIGINT, at ``JUPYTERHUB_SERVICE_URL`` or the configured port."""
    address = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", f"http://127.0.0.1:{config.service_port}"))
    uvicorn.run(
        create_app(config),
        host=address.hostname or "127.0.0.1",
        port=address.port or config.service_port,
        log_config=None,
        access_log=False,
        server_header=False,
        # open long polls would hold a restart back
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
