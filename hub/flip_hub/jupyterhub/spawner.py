"""What every workspace of a project has, however it is started: its gate, its home, its environment, its narrow token.

Refused with a reason while the project is not open, closed when it no longer is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from flip_sdk.errors import PublicError
from tornado.web import HTTPError
from traitlets import Instance, default
from traitlets.config import LoggingConfigurable

from flip_hub.config import HubConfig
from flip_hub.database import Database
from flip_hub.governance import resources, usage
from flip_hub.governance.profiles import Profile
from flip_hub.governance.workspaces import may_open
from flip_hub.jupyterhub.home import prepare_home, workspace_home
from flip_hub.jupyterhub.roles import FLIP, workspace_scopes

CONFIGURATION = Path(__file__).parent / "workspace"
"""The workspaces' Jupyter configuration: read-only inside, and outside every person's home."""


# not JupyterHub's Spawner, which wants to see start, stop and poll in each class
_Base: Any = LoggingConfigurable


class RefusedError(HTTPError):
    """A workspace that may not be open: 403, with its reason on the page."""

    def __init__(self, words: str) -> None:
        super().__init__(403, "%s", words)
        # JupyterHub replaces every other message of a failed start by one of its own
        self.jupyterhub_message = words


class ProjectWorkspace(_Base):  # type: ignore[misc]
    """One named server per project. What starts it is the JupyterHub spawner that comes after this class.

    Attributes:
        flip_config: the hub's configuration.
    """

    flip_config = Instance(HubConfig).tag(config=True)
    user_options: dict[str, Any]
    profile: Profile | None = None
    _why_stopped = ""

    @property
    def database(self) -> Database:
        """The hub's database."""
        return Database.of(self.flip_config)

    @default("server_token_scopes")
    def _server_token_scopes(self) -> list[str]:
        return workspace_scopes(self.user.name, self.name)

    @property
    def home(self) -> Path:
        """The person's home in the project, as the hub sees it."""
        return workspace_home(self.flip_config, self.name, self.user.name)

    @property
    def home_inside(self) -> Path:
        """The same folder, as the workspace sees it."""
        return self.home

    @property
    def configuration_inside(self) -> Path:
        """Where the workspace sees its Jupyter configuration."""
        return CONFIGURATION

    @property
    def proxy_inside(self) -> str:
        """The hub's address, as the workspace reaches it."""
        return self.flip_config.hub_url

    def refusal(self) -> PublicError | None:
        """Why this workspace may not be open now, or None."""
        if not self.name:
            return PublicError("Workspaces belong to projects.", "Open one from the project's page.")
        try:
            may_open(self.flip_config, self.user.name, self.name)
        except PublicError as error:
            return error
        return None

    def run_pre_spawn_hook(self) -> Any:
        """The gate: a refusal is shown to the person."""
        refused = self.refusal()
        if refused is not None:
            raise RefusedError(str(refused))
        self.profile = self.chosen()
        self.prepare()
        self.limit(self.profile)
        return super().run_pre_spawn_hook()

    def prepare(self) -> None:
        """Make what has to be there before the start: the home."""
        prepare_home(self.flip_config, self.name, self.user.name)

    def chosen(self) -> Profile:
        """The profile that the person chose; the default without a choice.

        Raises:
            RefusedError: the project does not have it, or its GPU-hours are used up.
        """
        asked = (self.user_options or {}).get("profile") or ""
        name = str(asked[0] if isinstance(asked, list) and asked else asked)
        try:
            profile = resources.choose(self.flip_config, self.database, self.name, self.user.name, name)
        except PublicError as error:
            raise RefusedError(str(error)) from error
        # what a person sends besides reaches no spawner: DockerSpawner would take an image out of it
        self.user_options = {"profile": profile.name}
        return profile

    def limit(self, profile: Profile) -> None:
        """Give the workspace what its profile says, and no more, as far as this way of starting can."""

    async def start(self) -> Any:
        """Start it; from then on it counts."""
        self._why_stopped = ""
        profile = self.profile or self.chosen()
        await asyncio.to_thread(usage.began, self.database, self.name, self.user.name, profile)
        return await super().start()

    async def run_post_stop_hook(self) -> None:
        """It ended: it no longer counts."""
        await asyncio.to_thread(usage.ended, self.database, self.name, self.user.name, self._why_stopped)
        ending = super().run_post_stop_hook()
        if ending is not None:
            await ending

    async def poll_and_notify(self) -> int | None:
        """Close a workspace that may not go on; one that may is written down as running."""
        reason = await self.reason_to_close()
        if reason:
            self.log.warning("Closing workspace %s: %s", self._log_name, reason)
            self._why_stopped = reason
            await self.stop(now=True)
        status: int | None = await super().poll_and_notify()
        if status is None:
            await asyncio.to_thread(usage.seen, self.database, self.name, self.user.name)
        return status

    async def reason_to_close(self) -> str:
        """Why it may not go on: the project's end, the person's, or the quota's; empty where it may."""
        refused = await asyncio.to_thread(self.refusal)
        if refused is not None:
            return str(refused)
        if not await self.authenticator.vouches_for(self.user):
            return "Nobody vouches for the person any more."
        mine = (self.flip_config, self.database, self.name, self.user.name)
        return await asyncio.to_thread(resources.overdrawn, *mine)

    async def progress(self) -> AsyncIterator[dict[str, object]]:
        """What the person reads while waiting."""
        yield {"progress": 20, "message": f"Preparing your home in the project {self.name}"}
        while not self.has_started():
            await asyncio.sleep(0.1)
        yield {"progress": 50, "message": "Starting JupyterLab"}

    def has_started(self) -> bool:
        """Whether there is a program that JupyterHub may wait for."""
        return True

    def get_env(self) -> dict[str, str]:
        """The workspace's environment. It holds no secret but the workspace's own narrow token."""
        lab = self.home_inside / ".jupyter" / "lab"
        gateway = self.flip_config.dask_gateway_url
        return {
            **super().get_env(),
            "FLIP_HUB_API": f"{self.proxy_inside.rstrip('/')}/services/{FLIP}/api",
            "FLIP_PROJECT": self.name,
            "JUPYTER_CONFIG_DIR": str(self.configuration_inside),
            "JUPYTERLAB_SETTINGS_DIR": str(lab / "user-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(lab / "workspaces"),
            "PYTHONNOUSERSITE": "1",
            **({"FLIP_DASK_GATEWAY": gateway} if gateway else {}),
        }
