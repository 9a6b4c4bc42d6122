"""Programs under keepers: start, look at, kill, stop. Nothing here knows what the programs are."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

_KEEPER = Path(__file__).with_name("keeper.py")


class PlatformError(Exception):
    """The platform could not be started or is not as asked; the message holds the end of the program's log."""


@dataclass(frozen=True)
class Program:
    """One program that a host would run as a service.

    Attributes:
        name: short name; its log is ``logs/<name>.log``.
        command: the command line.
        environ: what is added to this process's environment.
        folder: the folder it runs in.
    """

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    folder: Path


class Keeper:
    """One running :mod:`demo.keeper` and the program it keeps."""

    def __init__(self, program: Program, home: Path) -> None:
        self.program = program
        self.log = home / "logs" / f"{program.name}.log"
        self._state = home / "run" / f"{program.name}.json"
        for folder in (self.log.parent, self._state.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self._state.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_KEEPER), str(self._state), str(self.log), "--", *program.command],
            stdin=subprocess.PIPE,
            cwd=program.folder,
            env={**os.environ, **program.environ},
            start_new_session=True,
        )

    @property
    def pid(self) -> int | None:
        """Process id of the program, or None between a death and the restart."""
        pid = self._content().get("pid")
        return pid if pid is not None and psutil.pid_exists(pid) else None

    @property
    def starts(self) -> int:
        """How often the program was started so far."""
        return self._content().get("starts") or 0

    def processes(self) -> list[psutil.Process]:
        """The program and everything below it, the program first."""
        try:
            program = psutil.Process(self.pid or -1)
            return [program, *program.children(recursive=True)]
        except (psutil.NoSuchProcess, ValueError):
            return []

    def ask_to_stop(self) -> None:
        """End the keeper's standard input; it then ends the program and all that the program left."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Until the keeper is gone; kill it where it does not obey."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            keeper = psutil.Process(self._process.pid)
            for process in [*keeper.children(recursive=True), keeper]:
                process.kill()
            self._process.wait()

    def last_words(self, lines: int = 25) -> str:
        """The end of the program's log."""
        return tail(self.log, lines)

    def _content(self) -> dict[str, int | None]:
        try:
            content: dict[str, int | None] = json.loads(self._state.read_text())
        except FileNotFoundError:
            return {}
        return content


def kill(pid: int) -> None:
    """SIGKILL exactly this process."""
    os.kill(pid, signal.SIGKILL)


def tail(log: Path, lines: int) -> str:
    """The last lines of a log, or a note that there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"(there is no {log})"


def wait_until(
    condition: Callable[[], bool], seconds: float, what: str, *, last_words: Callable[[], str] = str, every: float = 0.1
) -> None:
    """Wait until a condition holds.

    Raises:
        PlatformError: it did not in time; with ``last_words``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise PlatformError(f"{what}: not within {seconds:.0f} s.\n{last_words()}".rstrip())
        time.sleep(every)


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A free loopback port for each name, all different."""
    with ExitStack() as stack:
        found = {}
        for name in names:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            found[name] = listener.getsockname()[1]
        return found
