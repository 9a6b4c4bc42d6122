"""Progress for the person in front of the terminal: what was done, and when. Plain lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.status import Status


class Teller:
    """Tells what the demo does, on a terminal or in a log."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.began = time.monotonic()
        self._status: Status | None = None

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self.began

    def chapter(self, title: str) -> None:
        """What comes next."""
        self.console.print(f"\n[bold]{title}[/bold]")

    def say(self, words: str) -> None:
        """One thing that was done."""
        self.console.print(f"  [dim]{self._clock()}[/dim] {words}")

    def now(self, words: str) -> None:
        """What is being done at this moment: shown on a terminal while it lasts, and nowhere afterwards."""
        if self._status is not None:
            self._status.update(words)

    @contextmanager
    def doing(self, words: str) -> Iterator[None]:
        """Something that takes a while."""
        if self.console.is_terminal:
            with self.console.status(words) as self._status:
                yield
            self._status = None
        else:
            yield
        self.say(words)

    def show(self, *what: RenderableType) -> None:
        """Tables and addresses."""
        self.console.print()
        for part in what:
            self.console.print(part)

    def _clock(self) -> str:
        minutes, seconds = divmod(int(self.seconds), 60)
        return f"{minutes}:{seconds:02d}"
