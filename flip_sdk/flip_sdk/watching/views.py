"""Where a job's progress is shown while a program waits: a terminal, or lines of text. In a notebook it is ``live``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol, TextIO

from flip_sdk.extras import installed
from flip_sdk.watching import page
from flip_sdk.watching.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class View(Protocol):
    """A place to show progress in. A view is opened once, updated often and closed once."""

    def open(self, progress: Progress) -> None:
        """Begin to show."""

    def update(self, progress: Progress) -> None:
        """Show what is new."""

    def note(self, line: str) -> None:
        """Tell the person something beside the progress, such as that the hub is away."""

    def close(self, progress: Progress) -> None:
        """Leave the last picture standing."""


def choose_view() -> View:
    """A live screen in a terminal, else lines of text.

    Outside a notebook progress goes to standard error, so that a program's output can be piped.
    """
    if in_notebook():
        return PlainView(sys.stdout)
    return TerminalView() if sys.stderr.isatty() and installed("rich") else PlainView()


class PlainView:
    """A line for each round and each thing a Trust says: for logs and pipes."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._last = ""

    def open(self, progress: Progress) -> None:
        """Begin with the job's id and what to know beforehand."""
        self._print(f"job {progress.job.job_id}")
        for line in (progress.cost, *progress.notes):
            self._print(line)

    def update(self, progress: Progress) -> None:
        """Print the headline when it has changed."""
        self._print(" · ".join(part for part in (progress.headline, progress.latest) if part))

    def note(self, line: str) -> None:
        """Print it."""
        self._print(line)

    def close(self, progress: Progress) -> None:
        """Print the summary."""
        self.update(progress)
        headline, *rest = page.text(progress).splitlines()
        print("\n".join(rest if headline == self._last else [headline, *rest]), file=self._out, flush=True)

    def _print(self, line: str) -> None:
        if line and line != self._last:
            print(line, file=self._out, flush=True)
            self._last = line


class TerminalView:
    """A live screen by rich: bar, latest value, Trusts."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=console or Console(stderr=True), refresh_per_second=8, transient=True)

    def open(self, progress: Progress) -> None:
        """Take the bottom of the screen."""
        self._live.start()
        self.update(progress)

    def update(self, progress: Progress) -> None:
        """Draw again."""
        self._live.update(self._draw(progress))

    def note(self, line: str) -> None:
        """Print it above the live part, where it stays."""
        self._live.console.print(line, markup=False, highlight=False, style="yellow")

    def close(self, progress: Progress) -> None:
        """Leave the summary in place of the live part."""
        self._live.stop()
        self._live.console.print(page.text(progress), markup=False, highlight=False)

    def _draw(self, progress: Progress) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        trusts = Table.grid(padding=(0, 2))
        for name, words in progress.trusts.items():
            trusts.add_row(Text(name, style="bold"), Text(words))
        lines = (sparkline([value for _, value in progress.curve]), progress.latest, progress.cost, *progress.notes)
        return Group(
            Text(progress.headline, style="bold"),
            ProgressBar(total=1.0, completed=progress.share, width=50),
            trusts,
            *(Text(line) for line in lines if line),
        )


class Summary:
    """The last picture of a job: HTML where it can be shown, text elsewhere."""

    def __init__(self, progress: Progress) -> None:
        self._html, self._text = page.html(progress), page.text(progress)

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def sparkline(values: list[float], width: int = 50) -> str:
    """Values as a line of blocks, the last ones when there are too many."""
    values = values[-width:]
    if len(values) < 2:
        return ""
    low, span = min(values), (max(values) - min(values)) or 1.0
    return "".join("▁▂▃▄▅▆▇█"[int((value - low) / span * 7)] for value in values)


def in_notebook() -> bool:
    """Whether a kernel runs us."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None
