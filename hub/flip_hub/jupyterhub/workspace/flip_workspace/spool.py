"""A folder in which records wait to be sent: written at once, sent in batches, bounded."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BATCH_BYTES = 256 * 1024
MOST_BYTES = 16 * 1024 * 1024
"""Of everything that waits; beyond, the oldest batch is let go, and how many were is told."""
_log = logging.getLogger(__name__)


class Spool:
    """Records in files of JSON lines: one that grows, and batches that wait.

    Args:
        folder: where they are; made when it is needed.
        most: bytes of all that waits.
    """

    def __init__(self, folder: Path, most: int = MOST_BYTES) -> None:
        self._folder, self._most = folder, most
        self._growing = folder / "growing"
        self._lost = folder / "lost"

    def keep(self, record: dict[str, Any]) -> None:
        """Write a record down. Where the disk takes nothing, the log says so, and work goes on."""
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._growing.open("ab") as file:
                file.write(line)
                is_full = file.tell() > BATCH_BYTES
            if is_full:
                self.close_batch()
        except OSError:
            _log.exception("a cell was not recorded")

    def close_batch(self) -> None:
        """Let what has grown wait to be sent; let the oldest go where too much waits."""
        if self._growing.exists():
            self._growing.rename(self._folder / f"{time.time_ns():020d}.batch")
        waiting = [(path, path.stat().st_size) for path in self._waiting()]
        total = sum(size for _, size in waiting)
        for path, size in waiting:
            if total <= self._most:
                return
            self._let_go(path)
            total -= size

    def batches(self) -> Iterator[tuple[Path, bytes]]:
        """What waits, oldest first, each as the body of a request."""
        for path in self._waiting():
            lines = path.read_bytes().splitlines()
            yield path, b'{"cells": [' + b", ".join(lines) + b'], "lost": %d}' % self._lost_cells()

    def sent(self, path: Path) -> None:
        """A batch was taken."""
        path.unlink()
        self._lost.unlink(missing_ok=True)

    def _waiting(self) -> list[Path]:
        return sorted(self._folder.glob("*.batch"))

    def _let_go(self, path: Path) -> None:
        gone = self._lost_cells() + len(path.read_bytes().splitlines())
        path.unlink()
        self._lost.write_text(str(gone), encoding="utf-8")

    def _lost_cells(self) -> int:
        try:
            return int(self._lost.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0
