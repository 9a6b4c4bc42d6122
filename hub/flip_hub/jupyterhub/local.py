"""A workspace as a local process that sees Python and its own home: for demonstrations, and for one small team."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import default

from flip_hub import sandbox
from flip_hub.jupyterhub.home import incoming_of, link_incoming
from flip_hub.jupyterhub.spawner import ProjectWorkspace

RUNTIME = "/tmp/jupyter"  # noqa: S108 - the sandbox's own /tmp
"""Where a sandboxed workspace keeps its kernels' sockets."""

# jsonschema compiles a grammar for seconds, to check IRIs, which Jupyter never does: half of what a start takes
START = "import sys; sys.modules['rfc3987_syntax'] = None; from jupyterhub.singleuser import main; sys.exit(main())"


class LocalSpawner(ProjectWorkspace, SimpleLocalProcessSpawner):  # type: ignore[misc]
    """A process of the hub's own account, in a sandbox."""

    @default("home_dir")
    def _home_dir(self) -> str:
        return str(self.home)

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

    def has_started(self) -> bool:
        """Whether the process is there."""
        return bool(self.pid)

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
            readable=(self.configuration_inside,),
            writable=(home,),
            placed=(incoming_of(self.flip_config, self.name, self.user.name),),
            network=True,
            dies_with_parent=False,
            devices=tuple(Path("/dev").glob("nvidia*")),
        ).command([*private, *command])
