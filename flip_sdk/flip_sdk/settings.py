"""Where the hub is and who is asking: a workspace's environment first, then what ``flip login`` kept."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from flip_sdk.errors import ConnectionFailedError

ADDRESS = "offline"
"""What stands for a hub with made-up people in this very process, where an address is asked for."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_MEND = (
    "Inside a workspace call flip.connect(); elsewhere run `flip login` once. Without an account, flip.offline() is a "
    "hub with made-up people."
)


@dataclass(frozen=True)
class Settings:
    """What the SDK needs to know, read once by :func:`load`.

    Attributes:
        api: address of the hub's JSON API, without a slash at the end.
        token: sent with every call, never shown.
        project: the workspace's project, where there is one.
    """

    api: str
    token: str = field(repr=False)
    project: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether the hub runs on this very machine."""
        return urlsplit(self.api).hostname in LOOPBACK


def address_of(given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """The hub's address as it is given, or as the environment has it; empty where neither says one."""
    return (given or environ.get("FLIP_HUB_API", "")).rstrip("/")


def load(api: str | None = None, token: str | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the arguments, then the environment, then the file of ``flip login``.

    Raises:
        ConnectionFailedError: nothing says where the hub is, or there is no token.
    """
    file = config_file(environ)
    workspace = (environ.get("FLIP_HUB_API", ""), environ.get("JUPYTERHUB_API_TOKEN", ""))
    api = (api or workspace[0] or _read_kept(file)[0]).rstrip("/")
    token = token or _token_for(api, workspace) or _token_for(api, _read_kept(file))
    if not api:
        raise ConnectionFailedError("Nothing says where the hub is.", _MEND)
    if not token:
        raise ConnectionFailedError(f"You are not signed in to the hub at {api}.", _MEND)
    return Settings(api, token, environ.get("FLIP_PROJECT") or None)


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """``hub.json`` under ``$XDG_CONFIG_HOME/flip`` or ``~/.config/flip``."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "flip" / "hub.json"


def keep(settings: Settings, file: Path) -> None:
    """Write address and token so that only their owner can read them."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump({"api": settings.api, "token": settings.token}, out)
    partial.replace(file)


def _token_for(api: str, source: tuple[str, str]) -> str:
    """The source's token, if it was made for this address: no hub is ever sent another hub's token."""
    return source[1] if api and source[0].rstrip("/") == api else ""


def _read_kept(file: Path) -> tuple[str, str]:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        content = file.read_text("utf-8")
    except FileNotFoundError:
        return "", ""
    except OSError as error:
        raise ConnectionFailedError(f"{file} cannot be read ({error.strerror}).", "Run `flip login` again.") from error
    if os.name == "posix" and mode & 0o077:
        raise ConnectionFailedError(f"Other people can read {file}.", f"Run `chmod 600 {file}`, or `flip login` again.")
    try:
        kept = json.loads(content)
        return str(kept["api"]), str(kept["token"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConnectionFailedError(f"{file} is damaged.", "Run `flip login` again.") from error
