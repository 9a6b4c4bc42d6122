"""JupyterHub with its proxy, services and workspaces, without gateway, dispatcher and Trusts: for tests of the pages.

with HubOnly(folder) as hub:
    hub.url
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from flip_hub.config import HubConfig

from demo.processes import Keeper, Program, free_ports, wait_until

REPOSITORY = Path(__file__).resolve().parent.parent
_PORTS = ("HUB", "JUPYTERHUB", "PROXY_API", "SERVICE", "DASHBOARDS")


@dataclass
class HubOnly:
    """A running JupyterHub over a hub's home that is there already. A context manager.

    Attributes:
        home: the hub's home, with its database.
        configuration: JupyterHub's configuration file.
        ports: chosen when it is made.
        dashboards: whether the configuration has their service.
    """

    home: Path
    configuration: Path = REPOSITORY / "hub" / "jupyterhub_config.py"
    ports: dict[str, int] = field(default_factory=lambda: free_ports(_PORTS))
    dashboards: bool = True
    _keeper: Keeper | None = None

    @property
    def url(self) -> str:
        """Where people go."""
        return f"http://127.0.0.1:{self.ports['HUB']}"

    @property
    def environ(self) -> Mapping[str, str]:
        """The hub's settings."""
        ports = {f"FLIP_HUB_{name}_PORT": str(port) for name, port in self.ports.items() if name != "HUB"}
        return {"FLIP_HUB_HOME": str(self.home), "FLIP_HUB_HUB_URL": self.url, **ports}

    @property
    def config(self) -> HubConfig:
        """The hub's configuration, as its programs read it."""
        return HubConfig.load(self.home, self.environ)

    @property
    def keeper(self) -> Keeper:
        """What keeps JupyterHub running."""
        if self._keeper is None:
            raise RuntimeError("the hub is not running")
        return self._keeper

    def pids(self, words: str) -> set[int]:
        """Process ids, below JupyterHub, of living programs whose command line holds these words."""
        return {process.pid for process in self.keeper.processes() if words in _command_line(process)}

    def __enter__(self) -> Self:
        command = (str(Path(sys.executable).with_name("jupyterhub")), "-f", str(self.configuration))
        self._keeper = Keeper(Program("hub", command, self.environ, self.home), self.home.parent)
        try:
            wait_until(
                self._answers,
                150,
                "JupyterHub does not answer",
                last_words=lambda: self.keeper.last_words(60),
                every=0.3,
            )
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.keeper.ask_to_stop()
        self.keeper.wait(40)

    def _answers(self) -> bool:
        """The services are reached through the proxy; each sends an anonymous person to the sign-in page."""
        paths = ["/hub/health", "/services/flip/", *(["/services/dashboards/"] if self.dashboards else [])]
        return all(_is_there(f"{self.url}{path}") for path in paths)


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _is_there(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - an address made here
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
