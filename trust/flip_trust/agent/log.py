"""The agent's log: one JSON object a line, on standard error; never a value of a patient.

An exception's own text may quote data, so it is never written: only its type and where it was raised. Lines of other
libraries keep their source and level, not their text.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from flip_sdk.contract.tasks import Task

OWN = "flip_trust"
_FIELDS = "flip_fields"


def set_up(level: int = logging.INFO) -> None:
    """Send this process's log to standard error, uncaught exceptions included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(OWN).setLevel(level)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def event(logger: logging.Logger, name: str, *, level: int = logging.INFO, **fields: str | float | None) -> None:
    """Write one line: a fixed name and fields that are identifiers, codes or figures about the agent itself."""
    logger.log(level, name, extra={_FIELDS: fields})


def failure(logger: logging.Logger, name: str, error: BaseException, **fields: str | float | None) -> None:
    """Write that something failed: the error's type and place, not its text."""
    event(logger, name, level=logging.ERROR, error=type(error).__name__, where=_place(error.__traceback__), **fields)


def about(task: Task) -> dict[str, Any]:
    """The fields that name a task."""
    return {"task": task.task_id, "job": task.job_id, "step": task.step, "round": task.round}


class SafeFormatter(logging.Formatter):
    """Formats a record as JSON without any text that could quote data."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        own = record.name.split(".")[0] == OWN
        content: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "source": record.name,
            "event": record.getMessage() if own else f"{record.module}:{record.lineno}",
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1]:
            content |= {"error": type(record.exc_info[1]).__name__, "where": _place(record.exc_info[2])}
        return json.dumps(content)


def _place(at: TracebackType | None) -> str:
    frames = traceback.extract_tb(at)[-3:]
    return " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)


def _uncaught(kind: type[BaseException], _error: BaseException | None, at: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    event(logging.getLogger(OWN), "uncaught", level=logging.CRITICAL, error=kind.__name__, where=_place(at))
