"""Keeps one program running, as a systemd unit would: `python keeper.py STATE LOG -- COMMAND…`.

It restarts the program when it dies (with back-off), stops what the dead program left behind before the restart (as
systemd's ``KillMode=control-group`` does), and stops everything when its own standard input ends. The platform holds
the other end of that pipe, so nothing outlives the platform, however it ended. Only the standard library: it starts in
a few hundredths of a second and needs little memory.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)
GRACE = 15.0
"""Seconds a program has to end by itself after SIGTERM."""
BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between a death and the next start, growing while the program keeps dying young."""
YOUNG = 10.0


def main(arguments: list[str]) -> int:
    """Run until standard input ends."""
    state, log, _, *command = arguments
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with Path(log).open("ab", buffering=0) as output:
        return _keep(Path(state), output.fileno(), command)


def _keep(state: Path, output: int, command: list[str]) -> int:
    starts = young_deaths = 0
    while True:
        began = time.monotonic()
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_child,  # noqa: PLW1509 - this process has one thread
        )
        starts += 1
        _write(state, {"pid": program.pid, "starts": starts})
        stopping = _wait(program)
        if stopping:
            _end(program)
        _end_leftovers()
        _write(state, {"pid": None, "starts": starts, "exit": program.returncode})
        young_deaths = young_deaths + 1 if time.monotonic() - began < YOUNG else 0
        pause = BACK_OFF[min(young_deaths, len(BACK_OFF)) - 1] if young_deaths else BACK_OFF[0]
        if stopping or _platform_gone(pause):
            return 0


def _child() -> None:
    """In the child, before it becomes the program: ignored signals are inherited, so give them back."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _wait(program: subprocess.Popen[bytes]) -> bool:
    """Until the program dies (False) or the platform asks to stop (True). Reaps orphans on the way."""
    handle = os.pidfd_open(program.pid)
    try:
        while True:
            ready, _, _ = select.select([handle, sys.stdin], [], [], 1.0)
            if sys.stdin in ready:
                return True
            if handle in ready:
                program.wait()
                return False
            _reap(except_for=program.pid)
    finally:
        os.close(handle)


def _platform_gone(seconds: float) -> bool:
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def _end(program: subprocess.Popen[bytes]) -> None:
    program.terminate()
    try:
        program.wait(GRACE)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _end_leftovers() -> None:
    """Stop every descendant that is left; as subreaper, all of them become this process's own children."""
    for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + seconds
        while children := _children():
            for pid in children:
                os.kill(pid, number)
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
            _reap()


def _children() -> list[int]:
    """Living children of this process."""
    _reap()
    me = str(os.getpid())
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == me:
            found.append(int(entry.name))
    return found


def _reap(except_for: int | None = None) -> None:
    """Collect dead orphans, but leave the program itself to :class:`subprocess.Popen`."""
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None or dead.si_pid == except_for:
            return
        os.waitpid(dead.si_pid, 0)


def _write(path: Path, content: dict[str, int | None]) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(content))
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
