"""Warm workers: started before a job comes, so that no job waits for torch."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections import deque
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.snapshot import Images, Snapshot, write_images
from safetensors.numpy import save

from flip_trust.engine.checks import read_graph
from flip_trust.engine.process import Worker
from flip_trust.engine.records import IMAGES_FILE, EngineError
from flip_trust.engine.sandbox import SandboxKind, warn_if_open, worker_command
from flip_trust.engine.session import EngineSession

_LOG = logging.getLogger(__name__)
MEMORY_BYTES = 8 * 1024 * 1024 * 1024
_MOST_SETTLES = 12
_SHORTEST = 0.01


class EnginePool:
    """Keeps ``spare`` workers warm. One worker serves one job and is ended with it.

    Args:
        slots: folder for the workers' slots; its content is deleted at start and close.
        sandbox: ``bubblewrap``, or ``none`` with a warning.
        spare: how many workers wait.
        seconds: how long one request may take before its worker is killed.
        settle: seconds without a request before a job's worker is replaced, so that the new one's imports do not slow
            down the job's rounds; at most twelve times that. A job that finds no spare does not wait for it.
    """

    def __init__(
        self,
        slots: Path,
        sandbox: SandboxKind = "bubblewrap",
        spare: int = 1,
        *,
        seconds: float = 300.0,
        settle: float = 5.0,
    ) -> None:
        self._slots, self._sandbox, self._spare = slots, sandbox, spare
        self._seconds, self._settle = seconds, settle
        self._changed = threading.Condition()
        self._waiting: deque[Worker] = deque()
        self._sessions: set[EngineSession] = set()
        self._asked = 0
        self._not_before = 0.0
        self._at_latest = 0.0
        self._failure: EngineError | None = None
        self._closed = True
        self._keeper: threading.Thread | None = None

    def start(self) -> None:
        """Delete what a crash left behind and start the spare workers in the background.

        Raises:
            EngineError: SANDBOX_MISSING.
        """
        worker_command(self._sandbox, self._slots, MEMORY_BYTES)
        warn_if_open(self._sandbox)
        shutil.rmtree(self._slots, ignore_errors=True)
        self._slots.mkdir(mode=0o700, parents=True)
        self._closed = False
        # workers die with the thread that started them, so one thread starts all and lives as long as the pool
        self._keeper = threading.Thread(target=self._keep, name="engine-pool", daemon=True)
        self._keeper.start()

    def open(self, snapshot: Snapshot, bounds: npt.NDArray[np.float64], graph: bytes | None) -> EngineSession:
        """Give a job its own worker, which reads the snapshot and, for a model, checks and rebuilds the graph.

        Args:
            snapshot: the frozen cohort.
            bounds: ``[d, 2]`` public low and high of each feature.
            graph: the model's graph; None where only ``statistics`` is asked for.

        Raises:
            EngineError: MODEL_REFUSED, MODEL_TOO_LARGE or ENGINE_FAILED.
        """
        features = snapshot.features.shape[1]
        if bounds.shape != (features, 2) or not bool((bounds[:, 0] < bounds[:, 1]).all()):
            raise ValueError("bounds must be [d, 2], low below high")
        record = read_graph(graph, snapshot.width) if graph is not None else None
        deadline = time.monotonic() + self._seconds
        worker = self._take(deadline)
        session = EngineSession(
            worker, record, snapshot.count, features, snapshot.width, self._seconds, self._forget, self._postpone
        )
        with self._changed:
            self._sessions.add(session)
        try:
            worker.wait_ready(deadline)
            _write(worker.data / "snapshot.safetensors", snapshot.to_bytes())
            _write(worker.data / "bounds.safetensors", save({"bounds": np.ascontiguousarray(bounds, np.float64)}))
            if snapshot.images is not None:
                _write_images(worker.data / IMAGES_FILE, snapshot.images)
            worker.ask({"do": "open", "graph": graph is not None}, graph or b"", self._seconds, 0)
        except BaseException:
            session.close()
            raise
        for held in worker.data.iterdir():
            # the worker has it in memory or mapped now; it has no name in the slot any more
            held.unlink(missing_ok=True)
        return session

    def close(self) -> None:
        """End every worker, those of open sessions included, and delete the slots."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._keeper is not None:
            self._keeper.join()
        for session in list(self._sessions):
            session.close()
        while self._waiting:
            self._waiting.popleft().end()
        shutil.rmtree(self._slots, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, deadline: float) -> Worker:
        with self._changed:
            self._asked += 1
            self._failure = None
            self._changed.notify_all()
            try:
                while not self._living() and not self._closed and self._failure is None:
                    if not self._changed.wait(deadline - time.monotonic()):
                        break
                if self._failure is not None:
                    raise self._failure
                if not self._waiting:
                    raise EngineError(RefusalCode.ENGINE_FAILED, "the engine pool is closed or gave no worker in time")
                self._not_before = time.monotonic() + self._settle
                self._at_latest = time.monotonic() + _MOST_SETTLES * self._settle
                return self._waiting.popleft()
            finally:
                self._asked -= 1
                # the keeper may have gone to sleep over the spare that was just taken
                self._changed.notify_all()

    def _forget(self, session: EngineSession) -> None:
        with self._changed:
            self._sessions.discard(session)

    def _postpone(self) -> None:
        """A job was asked something: it is under way."""
        with self._changed:
            self._not_before = max(self._not_before, min(time.monotonic() + self._settle, self._at_latest))

    def _keep(self) -> None:
        """The pool's thread: starts a worker whenever one is missing."""
        while True:
            with self._changed:
                while not self._closed and not self._due():
                    self._changed.wait(self._pause())
                if self._closed:
                    return
            self._start_one()

    def _living(self) -> int:
        """How many wait, once those that died in the meantime are put away."""
        for worker in [worker for worker in self._waiting if not worker.alive]:
            self._waiting.remove(worker)
            worker.end()
        return len(self._waiting)

    def _due(self) -> bool:
        living = self._living()
        if self._asked > living:
            return self._failure is None
        return living < self._spare and time.monotonic() >= self._not_before

    def _pause(self) -> float | None:
        if len(self._waiting) >= self._spare:
            return None
        # the moment may have come since it was asked whether one is due: then a short sleep, never an endless one
        return max(self._not_before - time.monotonic(), _SHORTEST)

    def _start_one(self) -> None:
        try:
            worker = Worker(self._slots, self._sandbox, MEMORY_BYTES)
        except (OSError, EngineError) as error:
            _LOG.exception("An engine worker could not be started.")
            failure = error if isinstance(error, EngineError) else None
            with self._changed:
                self._failure = failure or EngineError(RefusalCode.ENGINE_FAILED, "a worker could not be started")
                self._not_before = time.monotonic() + max(self._settle, 1.0)
                self._changed.notify_all()
            return
        with self._changed:
            self._waiting.append(worker)
            self._changed.notify_all()


def _write_images(path: Path, images: Images) -> None:
    """The file that they are mapped from under another name, where there is one, else a copy."""
    source = getattr(images, "filename", None)
    if source is not None:
        with contextlib.suppress(OSError):
            os.link(source, path)
            return
    path.touch(mode=0o600)
    write_images(path, images)


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
