"""A project's workspace: refused with a reason while the project is not open, closed when it no longer is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from flip_sdk.errors import PublicError
from jupyterhub.spawner import SimpleLocalProcessSpawner
from tornado.web import HTTPError
from traitlets import Instance, default

from flip_hub import sandbox
from flip_hub.config import HubConfig
from flip_hub.governance.workspaces import may_open
from flip_hub.jupyterhub.home import incoming_of, link_incoming, prepare_home, workspace_home
from flip_hub.jupyterhub.roles import FLIP, workspace_scopes

CONFIGURATION = Path(__file__).parent / "workspace"
"""The workspaces' Jupyter configuration: read-only inside, and outside every person's home."""

RUNTIME = "/tmp/jupyter"  # noqa: S108 - the sandbox's own /tmp
"""Where a sandboxed workspace keeps its kernels' sockets."""

# jsonschema compiles a grammar for seconds, to check IRIs, which Jupyter never does: half of what a start takes
START = "import sys; sys.modules['rfc3987_syntax'] = None; from jupyterhub.singleuser import main; sys.exit(main())"


class RefusedError(HTTPError):
    """A workspace that may not be open: 403, with its reason on the page."""

    def __init__(self, words: str) -> None:
        super().__init__(403, "%s", words)
        # JupyterHub replaces every other message of a failed start by one of its own
        self.jupyterhub_message = words


class ProjectSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc]
    """One named server per project, a local process that sees Python and its own home.

    Attributes:
        flip_config: the hub's configuration.
    """

    flip_config = Instance(HubConfig).tag(config=True)

    @default("home_dir")
    def _home_dir(self) -> str:
        return str(workspace_home(self.flip_config, self.name, self.user.name))

    @default("server_token_scopes")
    def _server_token_scopes(self) -> list[str]:
        return workspace_scopes(self.user.name, self.name)

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
        prepare_home(self.flip_config, self.name, self.user.name)
        return super().run_pre_spawn_hook()

    async def poll_and_notify(self) -> int | None:
        """Close a workspace whose project expired, was suspended, or whose person is no longer a member."""
        refused = self.refusal()
        if refused is not None:
            self.log.warning("Closing workspace %s: %s", self._log_name, refused)
            await self.stop(now=True)
        status: int | None = await super().poll_and_notify()
        return status

    async def start(self) -> tuple[str, int]:
        """Start JupyterLab for one person in one project."""
        self.cmd = self._command()
        log = self.flip_config.home / "logs" / f"workspace-{self.name}-{self.user.name}.log"
        with log.open("ab") as output:
            self.popen_kwargs = {"stdout": output, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
            address: tuple[str, int] = await super().start()
        return address

    def make_preexec_fn(self, name: str) -> None:
        """Nothing to do between fork and exec: the home is there, and the sandbox starts in it."""

    async def progress(self) -> AsyncIterator[dict[str, object]]:
        """What the person reads while waiting."""
        yield {"progress": 20, "message": f"Preparing your home in the project {self.name}"}
        while not self.pid:
            await asyncio.sleep(0.1)
        yield {"progress": 50, "message": "Starting JupyterLab"}

    def get_env(self) -> dict[str, str]:
        """The workspace's environment. It holds no secret but the workspace's own narrow token."""
        home = Path(self.home_dir)
        return {
            **super().get_env(),
            "FLIP_HUB_API": f"{self.flip_config.hub_url.rstrip('/')}/services/{FLIP}/api",
            "FLIP_PROJECT": self.name,
            "JUPYTER_CONFIG_DIR": str(CONFIGURATION),
            "JUPYTERLAB_SETTINGS_DIR": str(home / ".jupyter" / "lab" / "user-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / ".jupyter" / "lab" / "workspaces"),
            "PYTHONNOUSERSITE": "1",
        }

    async def _signal(self, sig: int) -> bool:
        # the sandbox's first process ignores signals sent to it alone; the server below it does not
        try:
            os.killpg(self.pid, sig) if sig else os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _command(self) -> list[str]:
        command = [sys.executable, "-P", "-c", START, *(["--allow-root"] if os.geteuid() == 0 else [])]
        if not sandbox.required(self.flip_config, self.log, "Workspaces"):
            link_incoming(self.flip_config, self.name, self.user.name)
            return command
        home = Path(self.home_dir)
        # sockets need short paths, and are nobody else's inside
        private = ["env", f"JUPYTER_RUNTIME_DIR={RUNTIME}"]
        return sandbox.Sandbox(
            folder=home,
            readable=(CONFIGURATION,),
            writable=(home,),
            placed=(incoming_of(self.flip_config, self.name, self.user.name),),
            network=True,
            dies_with_parent=False,
            devices=tuple(Path("/dev").glob("nvidia*")),
        ).command([*private, *command])
