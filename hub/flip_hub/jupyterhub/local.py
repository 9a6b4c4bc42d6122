"""A workspace as a local process that sees Python and its own home: for demonstrations."""

from __future__ import annotations

import math
import os
import resource
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import default

from flip_hub import sandbox
from flip_hub.config import HubConfig
from flip_hub.governance.profiles import Profile
from flip_hub.jupyterhub.home import incoming_of, link_incoming
from flip_hub.jupyterhub.processes import identity
from flip_hub.jupyterhub.proxy import proxy_port
from flip_hub.jupyterhub.spawner import ProjectWorkspace

RUNTIME = "/tmp/jupyter"  # noqa: S108 - the sandbox's own /tmp
"""Where a sandboxed workspace keeps its kernels' sockets."""

# jsonschema compiles a grammar for seconds, to check IRIs, which Jupyter never does: half of what a start takes
START = (
    "import os, sys; sys.modules['rfc3987_syntax'] = None; sys.path.insert(0, os.environ['JUPYTER_CONFIG_DIR']); "
    "from flip_workspace.doors import open_doors; open_doors(); "
    "from jupyterhub.singleuser import main; sys.exit(main())"
)

DOORS = Path(__file__).with_name("doors.py")
"""What carries the hub's two addresses into a workspace without a network."""

LOOPBACK = "127.0.0.1"


class SandboxedWorkspace(ProjectWorkspace):
    """A workspace of this machine's own Python and files, in a sandbox."""

    devices: tuple[Path, ...] = ()

    @property
    def proxy_inside(self) -> str:
        """The proxy itself, on the loopback: the hub's public name is not known in a workspace without a network."""
        return f"http://{LOOPBACK}:{proxy_port(self.flip_config)}{urlsplit(self.flip_config.hub_url).path}"

    @default("hub_connect_url")
    def _hub_inside(self) -> str:
        return f"http://{LOOPBACK}:{self.flip_config.jupyterhub_port}"

    def limit(self, profile: Profile) -> None:
        """Say what it may use; graphics cards are there for those alone whose profile has them."""
        self.mem_limit, self.cpu_limit = profile.memory, profile.cpu
        self.devices = tuple(Path("/dev").glob("nvidia*")) if profile.gpus else ()

    def sandboxed(self) -> list[str]:
        """The command that starts JupyterLab in its sandbox; without one where only a demonstration may."""
        command = [sys.executable, "-P", "-c", START, *(["--allow-root"] if os.geteuid() == 0 else [])]
        if not sandbox.required(self.flip_config, self.log, "Workspaces"):
            link_incoming(self.flip_config, self.name, self.user.name)
            return command
        home = self.home
        # sockets need short paths, and are nobody else's inside
        private = ["env", f"JUPYTER_RUNTIME_DIR={RUNTIME}"]
        box = sandbox.Sandbox(
            folder=home,
            readable=(self.configuration_inside,),
            writable=(home,),
            placed=(incoming_of(self.flip_config, self.name, self.user.name),),
            devices=self.devices,
        )
        return [sys.executable, "-I", str(DOORS), "--", *box.command([*private, *command])]


class LocalSpawner(SandboxedWorkspace, SimpleLocalProcessSpawner):  # type: ignore[misc]
    """A process of the hub's own account, in a sandbox.

    Attributes:
        process: which one it is (:func:`flip_hub.jupyterhub.processes.identity`): after the hub was away, its number
            may be another's, which must not get its signals.
    """

    process: str | None = None

    @default("home_dir")
    def _home_dir(self) -> str:
        return str(self.home)

    async def start(self) -> tuple[str, int]:
        """Start JupyterLab for one person in one project."""
        self.cmd = self.sandboxed()
        log = self.flip_config.home / "logs" / f"workspace-{self.name}-{self.user.name}.log"
        with log.open("ab") as output:
            self.popen_kwargs = {"stdout": output, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
            address: tuple[str, int] = await super().start()
        self.process = identity(self.pid)
        return address

    def get_state(self) -> dict[str, Any]:
        """What the hub keeps of it."""
        state: dict[str, Any] = super().get_state()
        return {**state, "process": self.process} if self.process else state

    def load_state(self, state: dict[str, Any]) -> None:
        """What the hub kept of it."""
        super().load_state(state)
        self.process = state.get("process")

    def clear_state(self) -> None:
        """It runs no more."""
        super().clear_state()
        self.process = None

    def make_preexec_fn(self, name: str) -> Callable[[], None]:  # noqa: ARG002
        """Between fork and exec: the limits; the home is there, and the sandbox starts in it."""
        return self._limits

    def limit(self, profile: Profile) -> None:
        """Limit it as far as a process can be: so many cores for all of it, so much memory for each process of it."""
        super().limit(profile)
        self._limits = limits_of(profile)

    def has_started(self) -> bool:
        """Whether the process is there."""
        return bool(self.pid)

    async def _signal(self, sig: int) -> bool:
        if self.process is not None and identity(self.pid) != self.process:
            return False
        # the sandbox's first process ignores signals sent to it alone; the server below it does not
        try:
            os.killpg(self.pid, sig) if sig else os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


def limits_of(profile: Profile) -> Callable[[], None]:
    """What a process does to itself before it becomes a workspace, and what all that it starts inherit."""
    cores = sorted(os.sched_getaffinity(0))
    first = secrets.randbelow(len(cores))
    chosen = set((cores[first:] + cores[:first])[: max(1, math.ceil(profile.cpu))])

    def take() -> None:
        os.sched_setaffinity(0, chosen)
        # drivers of graphics cards reserve more than there is, and use little of it
        if not profile.gpus:
            resource.setrlimit(resource.RLIMIT_DATA, (profile.memory, profile.memory))

    return take


def faults(config: HubConfig) -> Iterator[str]:
    """What is wrong with the settings: the hub has to be where doors lead."""
    if config.listen_address not in {LOOPBACK, "0.0.0.0"}:  # noqa: S104 - which holds the loopback
        yield f"listen_address is {config.listen_address}: a local workspace reaches the hub on {LOOPBACK} alone."
