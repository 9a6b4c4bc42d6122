"""What the commands that make and read archives have in common: the passphrase, and a bar for each step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from flip_sdk.archives.errors import PassphraseError
from flip_sdk.archives.sealing import passphrase_of

ENVIRONMENT = "FLIP_BACKUP_PASSPHRASE"
Told = Callable[[str, int, int], None]
"""What is done, how much of it, of how much."""


def passphrase(file: Path | None) -> str:
    """The passphrase out of a file, or else the environment; empty where neither has one.

    Raises:
        PassphraseError: it cannot be read, or is too short.
    """
    if file is None:
        found = os.environ.get(ENVIRONMENT, "")
        return passphrase_of(found) if found else ""
    try:
        return passphrase_of(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise PassphraseError(f"{file} cannot be read.", "Name a file that holds the passphrase.") from error


@contextmanager
def progress(console: Console) -> Iterator[Told]:
    """A bar for each step, on a terminal; nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as shown:
        bars: dict[str, TaskID] = {}

        def told(what: str, done: int, of: int) -> None:
            if what not in bars:
                bars[what] = shown.add_task(what, total=max(of, 1))
            shown.update(bars[what], completed=done if of else 1)

        yield told
