"""Which process a number means: the kernel of the operating system gives the number of one that ended to another."""

from __future__ import annotations

from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STATE, _STARTED = 0, 19
"""Places in ``/proc/PID/stat`` after the program's name (proc_pid_stat(5))."""
_ENDED = frozenset("ZX")


def identity(pid: int) -> str | None:
    """What no other process has, also after a restart of the computer; None where none of this number runs.

    One that ended and that nobody has asked about (a zombie) does not run.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE] in _ENDED else f"{_BOOT.read_text('utf-8').strip()}/{fields[_STARTED]}"
