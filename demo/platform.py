"""The whole platform on loopback, as real programs: a hub and any number of Trusts, each with its own home folder.

    with Platform(folder, [plan, …]) as platform:
        platform.hub_url

The demo, the integration tests and the benchmarks all start it this way.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from demo.processes import Keeper, PlatformError, Program, free_ports, kill, wait_until

REPOSITORY = Path(__file__).resolve().parent.parent
PORTS = ("hub", "proxy_api", "jupyterhub", "service", "dashboards", "gateway", "control")
START_SECONDS = 180
"""A busy computer may be slow to start everything at once."""
PARTS = {
    "governance": ("hub", "flip-hub serve"),
    "dashboards": ("hub", "flip-hub dashboards"),
    "proxy": ("hub", "configurable-http-proxy"),
    "workspace": ("hub", "singleuser"),
    "engine": ("trust-{}", "flip_trust.engine.worker"),
}
"""Processes that a program starts by itself: the program, and what their command line holds."""


@dataclass(frozen=True)
class TrustPlan:
    """A Trust to be made.

    Attributes:
        name: its name in every record.
        title: its name to people.
        load: puts the patients into the Trust's home, given that folder.
    """

    name: str
    title: str
    load: Callable[[Path], None]


@dataclass
class Platform:
    """Real programs in one folder. A context manager: entering starts all of them, leaving stops all of them.

    Attributes:
        folder: holds ``hub/``, ``trusts/<name>/``, ``logs/`` and ``run/``.
        plans: the Trusts.
        environ: added to every program's environment.
        progress: told, in words, what was done.
        ports: chosen when the hub's home is made.
        hub_fingerprint: what the hub's operator reads out to the Trusts' operators.
    """

    folder: Path
    plans: Sequence[TrustPlan]
    environ: Mapping[str, str] = field(default_factory=dict)
    progress: Callable[[str], None] = lambda _: None
    ports: dict[str, int] = field(default_factory=dict)
    hub_fingerprint: str = ""
    _keepers: dict[str, Keeper] = field(default_factory=dict)

    # ---- addresses

    @property
    def hub_home(self) -> Path:
        """The hub's home folder."""
        return self.folder / "hub"

    def trust_home(self, name: str) -> Path:
        """A Trust's home folder."""
        return self.folder / "trusts" / name

    @property
    def hub_url(self) -> str:
        """Where people go."""
        return f"http://127.0.0.1:{self.ports['hub']}"

    @property
    def api(self) -> str:
        """The governance service's JSON API."""
        return f"{self.hub_url}/services/flip/api"

    @property
    def gateway(self) -> str:
        """The one address that Trusts dial."""
        return f"127.0.0.1:{self.ports['gateway']}"

    # ---- life

    def __enter__(self) -> Self:
        try:
            self.create_hub()
            self.launch_hub()
            for plan in self.plans:
                self.add_trust(plan)
            self.wait_for_hub()
            for plan in self.plans:
                self.start_trust(plan.name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def create_hub(self) -> None:
        """Make the hub's home."""
        self.ports = free_ports(PORTS)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.progress("The hub makes its home: keys, certificate, database")
        told = self.flip_hub("init", "--hub-url", self.hub_url, "--gateway-port", str(self.ports["gateway"]))
        self.hub_fingerprint = _fingerprint_in(told)
        with (self.hub_home / "hub.toml").open("a", encoding="utf-8") as settings:
            settings.writelines(
                f"{name}_port = {self.ports[name]}\n" for name in PORTS if name not in ("hub", "gateway")
            )

    def add_trust(self, plan: TrustPlan) -> None:
        """Make a Trust's home, load its patients, and enrol it: both operators compare fingerprints."""
        home = self.trust_home(plan.name)
        pinned = ("--hub", str(self.hub_home / "hub-enrolment.json"), "--hub-fingerprint", self.hub_fingerprint)
        told = self.flip_trust(plan.name, "init", "--name", plan.name, "--title", plan.title, *pinned)
        plan.load(home)
        self.flip_hub("enrol", str(home / "trust-enrolment.json"), "--fingerprint", _fingerprint_in(told))
        self.progress(f"{plan.title} makes its home, loads its patients, and is enrolled")

    def launch_hub(self) -> None:
        """Start the hub's programs, without waiting."""
        self.progress("The hub starts: JupyterHub, proxy, governance service, dashboards, gateway, dispatcher")
        self.launch("gateway", self.command("flip-hub"), "gateway")
        self.launch("hub", self.command("jupyterhub"), "-f", str(REPOSITORY / "hub" / "jupyterhub_config.py"))
        self.launch("dispatcher", self.command("flip-hub"), "dispatch")

    def wait_for_hub(self) -> None:
        """Until each of the hub's programs answers."""
        self._answering("gateway", f"https://{self.gateway}/", anyhow=True)
        self._answering("hub", f"{self.hub_url}/hub/health")
        self._answering("hub", f"{self.api}/health")
        self._answering("hub", f"{self.hub_url}/services/dashboards/")
        self.progress("Every program of the hub answers")

    def start_hub(self) -> None:
        """Start the hub's programs again after :meth:`stop`, and wait until each answers."""
        self.launch_hub()
        self.wait_for_hub()

    def start_trust(self, name: str) -> None:
        """Start one Trust's agent."""
        home = str(self.trust_home(name))
        self.launch(f"trust-{name}", self.command("flip-trust"), "serve", "--home", home, folder=self.trust_home(name))
        self.progress(f"The agent of {name} starts and dials the hub")

    def launch(self, name: str, *command: str, folder: Path | None = None) -> Keeper:
        """Run a program under a keeper, which restarts it when it dies."""
        program = Program(name, command, self._environ(), folder or self.hub_home)
        self._keepers[name] = keeper = Keeper(program, self.folder)
        return keeper

    def stop(self, *names: str) -> None:
        """Stop these programs and everything they started, or all of them. Nothing restarts them."""
        chosen = [self._keepers.pop(name) for name in names or tuple(self._keepers)]
        for keeper in chosen:
            keeper.ask_to_stop()
        for keeper in chosen:
            keeper.wait(40)

    # ---- looking and killing

    def running(self) -> tuple[str, ...]:
        """Names of the programs that are kept."""
        return tuple(self._keepers)

    def pids(self, name: str) -> list[int]:
        """Process ids of a program and everything below it (the program first), or of one of its :data:`PARTS`.

        ``engine`` needs its Trust: ``engine-aldgate``.
        """
        if name in self._keepers:
            return [process.pid for process in self._keepers[name].processes()]
        part, _, trust = name.partition("-")
        program, words = PARTS[part]
        return [
            process.pid
            for process in self._keepers[program.format(trust)].processes()
            if words in _command_line(process)
        ]

    def kill(self, name: str) -> list[int]:
        """SIGKILL one program, or all processes of one of its :data:`PARTS`; what keeps them starts them again.

        Returns:
            the process ids that were killed.

        Raises:
            PlatformError: there is no such process at the moment.
        """
        found = self.pids(name)
        if not found:
            raise PlatformError(f"{name} is not running.")
        chosen = found[:1] if name in self._keepers else found
        for pid in chosen:
            with suppress(ProcessLookupError):
                kill(pid)
        return chosen

    def starts(self, name: str) -> int:
        """How often a program was started."""
        return self._keepers[name].starts

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.folder / "logs" / f"{name}.log"

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str, *, log: str = "hub") -> None:
        """Wait until a condition holds; where it does not in time, the error shows the end of a program's log."""
        last_words = self._keepers[log].last_words if log in self._keepers else str
        wait_until(condition, seconds, what, last_words=last_words)

    # ---- command lines of people

    def flip_hub(self, *arguments: str) -> str:
        """Run `flip-hub …` as the hub's operator does, and return what it prints."""
        return self._run(self.command("flip-hub"), *arguments)

    def flip_trust(self, name: str, *arguments: str) -> str:
        """Run `flip-trust … --home <the Trust's home>` as its operator or steward does, and return what it prints."""
        return self._run(self.command("flip-trust"), *arguments, "--home", str(self.trust_home(name)))

    def console_command(self, name: str) -> str:
        """What a Trust's data steward types to see what it is asked, what ran and what it spent."""
        program = os.path.relpath(self.command("flip-trust"))
        return f"{program} console --home {self.trust_home(name)}"

    @staticmethod
    def command(name: str) -> str:
        """Path of a program installed beside this Python."""
        beside = Path(sys.executable).parent / name
        found = str(beside) if beside.exists() else shutil.which(name)
        if not found:
            raise PlatformError(f"{name} is not installed here. Run: make install")
        return found

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **self._environ()}, check=False
        )
        if done.returncode:
            raise PlatformError(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "FLIP_HUB_HOME": str(self.hub_home),
            **self.environ,
        }

    def _answering(self, name: str, url: str, *, anyhow: bool = False) -> None:
        wait_until(
            lambda: _answers(url, anyhow=anyhow),
            START_SECONDS,
            f"{name} does not answer at {url}",
            last_words=self._keepers[name].last_words,
            every=0.3,
        )


def password() -> str:
    """The demo people's password: ``$FLIP_DEMO_PASSWORD``, or a random one."""
    return os.environ.get("FLIP_DEMO_PASSWORD") or secrets.token_urlsafe(12)


def _fingerprint_in(told: str) -> str:
    """The fingerprint that a program printed for its operator to read out.

    Raises:
        PlatformError: there is none.
    """
    found = re.search(r"[0-9a-f]{4}(?:\s+[0-9a-f]{4}){15}", told)
    if found is None:
        raise PlatformError(f"There is no fingerprint in:\n{told}")
    return " ".join(found[0].split())


def _answers(url: str, *, anyhow: bool = False) -> bool:
    """Whether an address answers with success, or ``anyhow`` (whatever it says)."""
    trusting = ssl._create_unverified_context()  # noqa: S323 - asks only whether something is there
    try:
        with urllib.request.urlopen(url, timeout=5, context=trusting):  # noqa: S310 - addresses made here
            return True
    except urllib.error.HTTPError:
        return anyhow
    except (urllib.error.URLError, OSError):
        return False


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
