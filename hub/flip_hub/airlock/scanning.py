"""The hook for a malware scanner: a command that the operator configures, run on a copy of each file that comes in."""

from __future__ import annotations

import logging
import shlex
import subprocess
import tempfile
from pathlib import Path, PurePosixPath

from flip_hub.config import HubConfig
from flip_hub.errors import InvalidError, UnavailableError

SECONDS = 300
_FOUND = 1
_log = logging.getLogger(__name__)


def check_scanner(config: HubConfig) -> None:
    """Refuse to take files in where production has no scanner.

    Raises:
        UnavailableError: with what the operator has to set.
    """
    if config.production and not config.malware_scanner:
        raise UnavailableError(
            "This hub has no malware scanner, and takes no files in without one.",
            "The operator sets malware_scanner in hub.toml, to clamdscan for example.",
        )


def scan(config: HubConfig, path: str, content: bytes) -> str:
    """Have a file scanned.

    Args:
        config: the hub's, with the command.
        path: how the file is called.
        content: its bytes.

    Returns:
        The scanner's name; empty where there is none (never in production).

    Raises:
        InvalidError: the scanner found something.
        UnavailableError: there is no scanner in production, or it failed.
    """
    check_scanner(config)
    command = shlex.split(config.malware_scanner)
    if not command:
        return ""
    with tempfile.TemporaryDirectory(prefix="flip-scan-") as folder:
        # read by a scanner's own account, such as clamav's, when it is passed no descriptor
        Path(folder).chmod(0o755)
        copy = Path(folder) / ("file" + PurePosixPath(path).suffix)
        copy.write_bytes(content)
        copy.chmod(0o444)
        status = _run([*command, str(copy)])
    if status == _FOUND:
        raise InvalidError("The malware scanner found something in it.", "Do not use this file; tell its source.")
    if status != 0:
        _log.error("the malware scanner %s ended with %s", command[0], status)
        raise UnavailableError("The malware scanner failed.", "Try again; if it stays, tell the hub's operator.")
    return Path(command[0]).name


def _run(command: list[str]) -> int:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.error("the malware scanner does not run: %s", error)
        raise UnavailableError("The malware scanner does not run.", "Tell the hub's operator.") from error
    return done.returncode
