"""Bubblewrap command lines: a process sees Python, its own folder, and nothing else of this computer.

Neither the hub's keys nor its database, and on a computer that also plays a Trust none of its patients, exist inside.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError

INSIDE = ("flip_sdk", "flip_lab")
"""Packages of FLIP's that a workspace has; none of the hub's own code."""
_ROOTS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = (
    *("passwd", "group", "hosts", "nsswitch.conf", "resolv.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("localtime", "ssl", "ca-certificates", "fonts", "alternatives"),
)

_SETS_ACCOUNTS = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
_UNUSED = 1_899_999_999


@dataclass(frozen=True)
class Caps:
    """How much a process inside may take.

    Attributes:
        memory: bytes of address space, for each of its processes.
        processes: how many it and its children may be, threads counted.
        scratch: bytes that it may write to its own temporary folder, which is memory, and to any one file.
        cpu: seconds of a processor's time, for each of its processes.
    """

    memory: int
    processes: int
    scratch: int
    cpu: int

    def command(self) -> list[str]:
        """What sets them, before a command."""
        limits = {"as": self.memory, "nproc": self.processes, "fsize": self.scratch, "cpu": self.cpu, "core": 0}
        return ["prlimit", *(f"--{name}={value}:{value}" for name, value in limits.items()), "--"]


@dataclass(frozen=True)
class Sandbox:
    """What a process may see.

    Attributes:
        folder: where it starts; readable, and writable where it is named in ``writable``.
        readable: further files and folders that it reads.
        writable: files and folders that it changes.
        placed: folders that it reads at another place: where each really is, and where it sees it.
        network: whether it shares this computer's network; without, it has not even a loopback of its own to share.
        dies_with_parent: whether it ends when the process that started it ends.
        devices: device files that it uses (graphics cards).
        caps: how much it may take.
        account: number of the account that it runs as, where this process may give one (:func:`gives_accounts`);
            without, it runs as this process's own, in a user namespace.
    """

    folder: Path
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    placed: tuple[tuple[Path, Path], ...] = ()
    network: bool = False
    dies_with_parent: bool = True
    devices: tuple[Path, ...] = ()
    caps: Caps | None = None
    account: int | None = None

    def command(self, command: Sequence[str]) -> list[str]:
        """The command line that runs ``command`` inside."""
        readable = (*_python(), *self.readable, self.folder)
        return [
            "bwrap",
            *(() if self.account is not None else ("--unshare-user-try",)),
            *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
            *(() if self.network else ("--unshare-net",)),
            *("--cap-drop", "ALL", *(_SETS_ACCOUNTS if self.account is not None else ())),
            *(("--die-with-parent",) if self.dies_with_parent else ()),
            *("--hostname", "workspace", "--proc", "/proc", "--dev", "/dev"),
            *self._scratch(),
            *_system(),
            *self._folders_above((*readable, *self.writable)),
            *(word for path in readable if path not in self.writable for word in ("--ro-bind", str(path), str(path))),
            *(word for path in self.writable for word in ("--bind", str(path), str(path))),
            *(word for source, place in self.placed for word in ("--ro-bind", str(source), str(place))),
            *(word for path in self.devices for word in ("--dev-bind-try", str(path), str(path))),
            *(("--remount-ro", "/dev") if self.caps else ()),
            *("--chdir", str(self.folder), "--unsetenv", "JPY_PARENT_PID", "--"),
            *self._as_account(),
            *(self.caps.command() if self.caps else ()),
            *command,
        ]

    def _scratch(self) -> list[str]:
        """Its temporary folder; with caps, that is all that it writes to: the devices' file system is shut."""
        if self.caps is None:
            return ["--tmpfs", "/tmp"]  # noqa: S108 - its own
        return ["--perms", "1777", "--size", str(self.caps.scratch), "--tmpfs", "/tmp"]  # noqa: S108 - its own

    def _folders_above(self, paths: Sequence[Path]) -> list[str]:
        """Bubblewrap makes them for itself alone; another account has to pass through them."""
        if self.account is None:
            return []
        above = sorted({Path("/etc"), *(folder for path in paths for folder in path.parents)} - {Path("/")})
        return [word for folder in above for word in ("--perms", "0755", "--dir", str(folder))]

    def _as_account(self) -> list[str]:
        if self.account is None:
            return []
        who = (f"--reuid={self.account}", f"--regid={self.account}")
        return ["setpriv", *who, "--clear-groups", "--inh-caps=-all", "--no-new-privs", "--"]


def required(config: HubConfig, log: logging.Logger, what: str) -> bool:
    """Whether ``what`` runs in a sandbox: always, but for a demonstration on a computer without bubblewrap.

    Raises:
        ConfigError: production, and bubblewrap is missing or does not work here.
    """
    if usable():
        return True
    if config.production:
        raise ConfigError(
            f"{what} need bubblewrap, which is missing or does not work here.",
            "Install the package bubblewrap and allow it user namespaces.",
        )
    log.warning("bubblewrap is missing or does not work here: %s run WITHOUT a sandbox. Never do so in earnest.", what)
    return False


@cache
def usable() -> bool:
    """Whether bubblewrap is here and can make its namespaces."""
    return _runs(Sandbox(Path("/")))


@cache
def gives_accounts() -> bool:
    """Whether this process may start others as accounts that nobody else has: it is root, outside of a namespace."""
    return os.geteuid() == 0 and shutil.which("setpriv") is not None and _runs(Sandbox(Path("/"), account=_UNUSED))


def _runs(box: Sandbox) -> bool:
    program = shutil.which("bwrap")
    if program is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            box.command(["true"]), capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _python() -> tuple[Path, ...]:
    """This Python's installation; editable packages of a workspace's own lie outside it."""
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    for package in filter(None, map(find_spec, INSIDE)):
        place = Path(str(package.origin)).resolve().parent
        if not any(place.is_relative_to(prefix.resolve()) for prefix in prefixes):
            prefixes.append(place)
    usr = Path("/usr")
    return tuple(path for path in dict.fromkeys(prefixes) if not path.is_relative_to(usr))


def _system() -> list[str]:
    """The operating system's programs and libraries, and the few settings that they need."""
    words = ["--ro-bind", "/usr", "/usr"]
    for root in map(Path, _ROOTS):
        if root.is_symlink():
            words += ["--symlink", str(root.readlink()), str(root)]
        elif root.exists():
            words += ["--ro-bind", str(root), str(root)]
    for name in _SETTINGS:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words
