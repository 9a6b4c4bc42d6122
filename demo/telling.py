"""Progress for the person in front of the terminal: what was done, and when. Plain lines where there is none."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.status import Status

QUIET_SECONDS = 5.0
"""Without a terminal, what is going on at the moment is told no more often than this."""


class Teller:
    """Tells what the demo does, on a terminal or in a log. A context manager: inside, a terminal shows a spinner."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.began = time.monotonic()
        self._told = self.began
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._status = self.console.status("")
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.rest()

    def rest(self) -> None:
        """Stop the spinner: nothing more is being done."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def chapter(self, title: str) -> None:
        """What comes next."""
        self.console.print(f"\n[bold]{title}[/bold]")
        self._doing("")

    def say(self, words: str) -> None:
        """One thing that was done."""
        self.console.print(f"  [dim]{self._clock()}[/dim] {words}")
        self._told = time.monotonic()
        self._doing("")

    def now(self, words: str) -> None:
        """What is being done at this moment: beside the spinner, or a line from time to time."""
        if self._status is not None:
            self._doing(words)
        elif time.monotonic() - self._told > QUIET_SECONDS:
            self.say(escape(words))

    def show(self, *what: RenderableType) -> None:
        """Tables and addresses."""
        for part in what:
            self.console.print()
            self.console.print(part)

    def _doing(self, words: str) -> None:
        if self._status is not None:
            self._status.update(escape(words))

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        return f"{minutes}:{seconds:02d}"
