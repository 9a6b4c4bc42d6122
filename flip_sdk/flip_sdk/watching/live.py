"""A job's view in a notebook: a thread follows the job, so that the notebook stays free for other work."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from flip_sdk.errors import PublicError
from flip_sdk.watching.progress import Progress
from flip_sdk.watching.views import Summary
from flip_sdk.watching.widget import JobWidget

LOOK = 0.2
"""Seconds after which a waiting cell looks whether somebody interrupts it."""
_STOPPED = "You stopped waiting; the job goes on, and so does its view. job.cancel() ends it."


class Live:
    """A widget and the thread that keeps it up to date. The thread ends with the job.

    Args:
        progress: what is known of the job.
        listen: takes the next events in (it may wait for them); true when the job has ended. Called by the thread.
        cancel: asks the hub to end the job.
    """

    def __init__(self, progress: Progress, listen: Callable[[Callable[[str], None]], bool], cancel: Callable[[], Any]):
        self._progress, self._listen, self._ask = progress, listen, cancel
        self._handle: Any = None
        self._failed: PublicError | None = None
        self._widget = JobWidget(progress, self._cancelled)
        # what is shown by the thread belongs to the cell in which it was begun
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._follow,), name="flip-job", daemon=True)

    @property
    def running(self) -> bool:
        """Whether the view is still kept up to date."""
        return self._thread.is_alive()

    def open(self) -> None:
        """Show the view and begin to follow."""
        from IPython.display import display

        self._handle = display(self._widget, display_id=True)  # type: ignore[no-untyped-call]
        self._thread.start()

    def wait(self) -> PublicError | None:
        """Until the job has ended; gives what kept the thread from following it so far, such as a hub that is away."""
        try:
            while self._thread.is_alive():
                self._thread.join(LOOK)
        except KeyboardInterrupt:
            self._note(_STOPPED)
            raise
        # once more from here: a program that runs notebooks listens to the cell that runs, and to no thread
        self._leave_picture()
        return self._failed

    def _follow(self) -> None:
        try:
            while not self._listen(self._note):
                self._widget.show(self._progress)
        except PublicError as error:
            self._failed = error
            self._progress.note = f"{error.message} {error.mend} The view stopped; job.watch() begins again."
        self._leave_picture()
        self._widget.close()

    def _leave_picture(self) -> None:
        """A picture that stays in the view's place when the notebook is saved, printed or opened again."""
        if self._handle is not None:
            self._handle.update(Summary(self._progress))

    def _note(self, line: str) -> None:
        self._progress.note = line
        self._widget.show(self._progress)

    def _cancelled(self) -> None:
        try:
            self._ask()
        except PublicError as error:
            self._note(f"{error.message} {error.mend}")
        else:
            self._note("The hub was asked to end the job.")
