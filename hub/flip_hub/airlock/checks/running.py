"""Checks in a process of their own: without network, under limits, and one bad file costs no other its checks."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flip_sdk.contract.airlock import Examined, OutputStatement
from flip_sdk.errors import RecordError

import flip_hub
from flip_hub.airlock.checks.past import Past
from flip_hub.airlock.checks.rules import Rule
from flip_hub.airlock.checks.worker import Order
from flip_hub.errors import UnavailableError
from flip_hub.sandbox import Sandbox

COMMAND = (sys.executable, "-I", "-m", "flip_hub.airlock.checks.worker")
START_SECONDS = 60
MOST_ANSWER_BYTES = 256 * 1024 * 1024

FELL = Rule(
    "check.fell",
    "block",
    "The checks broke off at this file ({how}), so it cannot be said what it holds.",
    "Export it again in a plainer form; a checker cannot let it through.",
)
TOO_LONG = Rule(
    "check.too_long",
    "block",
    "The checks of this file did not end within {seconds} seconds.",
    "Send a smaller or plainer file.",
)
_log = logging.getLogger(__name__)


def examine_apart(
    folder: Path, statements: Sequence[OutputStatement], past: Past, *, sandboxed: bool = True
) -> tuple[Examined, ...]:
    """Check every file of a request in worker processes; see :func:`flip_hub.airlock.checks.examine`.

    Args:
        folder: holds the request's files under their paths, and nothing else.
        statements: what its author says of each.
        past: what they are compared with.
        sandboxed: whether bubblewrap is used.

    Returns:
        One record a file, in the statements' order. A file at which the worker falls or hangs is blocked, and a new
        worker goes on with the others.

    Raises:
        UnavailableError: the worker does not start here.
    """
    done: dict[str, Examined] = {}
    bad: dict[str, Examined] = {}
    ends = time.monotonic() + past.limits.total_seconds
    while wanted := [s.path for s in statements if s.path not in done and s.path not in bad]:
        readable = tuple(s for s in statements if s.path not in bad)
        order = Order(folder=str(folder.resolve()), past=past, statements=readable, wanted=tuple(wanted))
        fallen = _run(order, done, sandboxed, ends)
        if fallen is None:
            break
        path, rule, words = fallen
        statement = next(s for s in statements if s.path == path)
        bad[path] = _blocked(folder, statement, rule, words)
        if time.monotonic() > ends:
            bad |= {s.path: _blocked(folder, s, rule, words) for s in statements if s.path not in done}
    done |= {path: examined for path, examined in bad.items() if path not in done}
    return tuple(done[statement.path] for statement in statements)


def _blocked(folder: Path, statement: OutputStatement, rule: Rule, words: dict[str, Any]) -> Examined:
    path = folder / statement.path
    size = path.lstat().st_size if path.is_file() else 0
    found = (rule.found(**words),)
    return Examined(
        path=statement.path, content=statement.content, bytes=size, kind=None, findings=found, verdict="block"
    )


def _run(
    order: Order, done: dict[str, Examined], sandboxed: bool, ends: float
) -> tuple[str, Rule, dict[str, Any]] | None:
    """Run one worker; what it examined goes into ``done``. The file at which it fell, and how; None where it ended."""
    at = ""
    contents = {statement.path: statement.content for statement in order.statements}
    seconds = order.past.limits.seconds
    with _worker(order, sandboxed) as process:
        lines = _lines(process, START_SECONDS, seconds, ends)
        try:
            for line in lines:
                if "at" in line:
                    at = str(line["at"])
                    continue
                examined = Examined.parse(line["examined"])
                if examined.path != at or examined.content != contents.get(at):
                    return _fallen(at, FELL, how="its answer was not of this file")
                done[at] = examined
        except TimeoutError:
            return _fallen(at, TOO_LONG, seconds=seconds)
        except (RecordError, ValueError, KeyError) as error:
            _log.warning("the airlock's worker answered what cannot be read at %s: %s", at, error)
            return _fallen(at, FELL, how="its answer could not be read")
        code = process.wait()
    if all(path in done for path in order.wanted):
        return None
    if code == -signal.SIGXCPU:
        return _fallen(at, TOO_LONG, seconds=seconds)
    return _fallen(at, FELL, how=f"the process ended with {code}")


def _fallen(at: str, rule: Rule, **words: Any) -> tuple[str, Rule, dict[str, Any]]:
    if not at:
        _log.error("the airlock's worker does not start: %s", words)
        raise UnavailableError("The airlock's checks do not start at present.", "Tell the hub's operator.")
    return at, rule, words


@contextmanager
def _worker(order: Order, sandboxed: bool) -> Iterator[subprocess.Popen[bytes]]:
    command = list(COMMAND)
    folder = Path(order.folder)
    if sandboxed:
        command = Sandbox(folder, readable=_package()).command(command)
    process = subprocess.Popen(  # noqa: S603 - our own command line
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=_environment(),
        start_new_session=True,
    )
    try:
        if process.stdin is None:
            raise UnavailableError("The airlock's checks do not start at present.", "Tell the hub's operator.")
        try:
            process.stdin.write(order.model_dump_json().encode())
            process.stdin.close()
        except BrokenPipeError:
            _log.warning("the airlock's worker ended before it took its order")
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _package() -> tuple[Path, ...]:
    """Where flip_hub lies, if it is not installed beside its Python."""
    package = Path(flip_hub.__file__).resolve().parent
    return () if package.is_relative_to(Path(sys.prefix).resolve()) else (package,)


def _environment() -> dict[str, str]:
    """Nothing of the hub's own environment; one thread, so that the limits hold."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_THREAD_LIMIT", "POLARS_MAX_THREADS"), "1")
    return {**kept, **threads, "HOME": "/tmp", "MPLBACKEND": "agg"}  # noqa: S108 - the sandbox's own


def _lines(process: subprocess.Popen[bytes], start: float, seconds: float, ends: float) -> Iterator[dict[str, Any]]:
    """Lines of JSON as they come.

    Raises:
        TimeoutError: nothing came for so long.
        ValueError: not JSON, or far too much of it.
    """
    if process.stdout is None:
        return
    descriptor, rest, total, patience = process.stdout.fileno(), b"", 0, start
    while True:
        left = patience if total == 0 else min(patience, ends - time.monotonic())
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise TimeoutError
        piece = os.read(descriptor, 65_536)
        if not piece:
            return
        total += len(piece)
        if total > MOST_ANSWER_BYTES:
            raise ValueError("too long an answer")
        *lines, rest = (rest + piece).split(b"\n")
        patience = seconds
        for line in lines:
            content = json.loads(line)
            if not isinstance(content, dict):
                raise ValueError("not an object")  # noqa: TRY004 - of the answer, as its other faults
            yield content
