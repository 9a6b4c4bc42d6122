"""JupyterHub's own API, for the commands of whoever runs the hub on its machine."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from flip_hub.config import HubConfig
from flip_hub.errors import UnavailableError
from flip_hub.jupyterhub.roles import OFF_BOARDING
from flip_hub.keys import secret

PATIENCE = 60.0
"""Seconds that a workspace may take to stop."""
_GONE = 404


class HubApi:
    """JupyterHub as somebody's off-boarding needs it: a token that sees and stops servers, and removes accounts.

    Args:
        config: the hub's.
        transport: of the requests; tests put their own there.
    """

    def __init__(self, config: HubConfig, transport: httpx.BaseTransport | None = None) -> None:
        path = urlsplit(config.hub_url).path.rstrip("/")
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{config.jupyterhub_port}{path}/hub/api",
            headers={"Authorization": f"token {secret(config, OFF_BOARDING)}"},
            timeout=30.0,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> HubApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def servers(self, person: str) -> list[str] | None:
        """The projects whose workspaces of a person run, start or stop; None where JupyterHub has no such account.

        Raises:
            UnavailableError: JupyterHub does not answer.
        """
        answer = self._ask("GET", f"/users/{quote(person, safe='')}")
        if answer.status_code == _GONE:
            return None
        told: dict[str, Any] = answer.json()
        return sorted(name for name, server in told["servers"].items() if not server.get("stopped", False))

    def stop(self, person: str, project: str) -> None:
        """Stop a person's workspace, and wait until it has.

        Raises:
            UnavailableError: JupyterHub does not answer, or the workspace does not stop.
        """
        until = time.monotonic() + PATIENCE
        while project in (self.servers(person) or []):
            self._ask("DELETE", f"/users/{quote(person, safe='')}/servers/{project}")
            if time.monotonic() > until:
                raise UnavailableError(f"The workspace of {person} in {project} does not stop.", _AGAIN)
            time.sleep(0.2)

    def remove(self, person: str) -> None:
        """Remove a person's account at JupyterHub, with every token and cookie of it.

        Raises:
            UnavailableError: JupyterHub does not answer, or does not do it.
        """
        answer = self._ask("DELETE", f"/users/{quote(person, safe='')}")
        if answer.status_code not in {204, _GONE}:
            raise UnavailableError(f"JupyterHub did not remove {person} ({answer.status_code}).", _AGAIN)

    def _ask(self, method: str, path: str) -> httpx.Response:
        try:
            answer = self._client.request(method, path)
        except httpx.HTTPError as error:
            raise UnavailableError("JupyterHub does not answer.", _AGAIN) from error
        if answer.status_code in {401, 403}:
            raise UnavailableError(
                "JupyterHub does not know this hub's token.", "Restart JupyterHub, and run it again."
            )
        return answer


_AGAIN = "Nothing is lost: run the same command again while JupyterHub runs."
