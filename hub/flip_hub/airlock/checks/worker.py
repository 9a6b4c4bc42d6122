"""The process that reads what researchers upload: in a sandbox, under limits, one line of JSON for each step.

It says which file it is at before it touches it, so that whoever started it knows by which one it fell.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flip_sdk.contract.airlock import OutputStatement
from flip_sdk.contract.records import Record

from flip_hub.airlock.checks.examining import examine_one
from flip_hub.airlock.checks.limits import Limits
from flip_hub.airlock.checks.past import Past
from flip_hub.airlock.checks.reading import read_file
from flip_hub.airlock.checks.rules import FileRead

MOST_FILE_BYTES_WRITTEN = 256 * 1024 * 1024


class Order(Record):
    """What the worker is to do.

    Attributes:
        folder: holds the files.
        past: what they are compared with.
        statements: the files to read.
        wanted: paths of those to check.
    """

    folder: str
    past: Past
    statements: tuple[OutputStatement, ...]
    wanted: tuple[str, ...]


def work(order: Order, say: Callable[[dict[str, Any]], None]) -> None:
    """Read every file, then check those wanted."""
    files: dict[str, FileRead] = {}
    for statement in order.statements:
        say({"at": statement.path})
        files[statement.path] = read_file(Path(order.folder), statement, order.past.limits)
    for path in order.wanted:
        say({"at": path})
        _check(files[path], files, order.past, say)


def _check(file: FileRead, files: Mapping[str, FileRead], past: Past, say: Callable[[dict[str, Any]], None]) -> None:
    say({"examined": examine_one(file, files, past).model_dump(mode="json")})


def _confine(limits: Limits) -> None:
    """Memory, size of written files and processor time; no core is dumped."""
    seconds = limits.total_seconds
    wanted = (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, MOST_FILE_BYTES_WRITTEN),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    )
    for what, most in wanted:
        _, hard = resource.getrlimit(what)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (value, value))


def main() -> int:
    """Take an order from standard input, and answer on what was standard output; libraries' own words go nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = Order.parse(sys.stdin.buffer.read())
    _confine(order.past.limits)

    def say(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    work(order, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
