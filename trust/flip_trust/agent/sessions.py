"""Which job has which engine worker: one each, kept from round to round, so many at a time and no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import numpy.typing as npt
from flip_sdk.contract.graph import Loss
from flip_sdk.contract.jobs import DPSGD, Scaling
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.snapshot import Snapshot

from flip_trust.engine.records import EngineError, RawUpdate
from flip_trust.errors import RefusedError


class Session(Protocol):
    """What the agent asks of one job's worker (``flip_trust.engine.EngineSession``)."""

    def statistics(self, weight_of_count: float) -> RawUpdate:
        """Exact count and sums of the features."""
        ...

    def gradient(self, weights: bytes, scaling: Scaling | None, loss: Loss, max_grad_norm: float) -> RawUpdate:
        """Exact sum of clipped per-person gradients."""
        ...

    def dp_sgd(
        self,
        weights: bytes,
        scaling: Scaling | None,
        loss: Loss,
        mechanism: DPSGD,
        noise_multiplier: float,
        *,
        expected_persons: float,
        correction: bytes | None = None,
    ) -> RawUpdate:
        """Local steps with noise inside."""
        ...

    def sufficient_statistics(self, scaling: Scaling | None, loss: Loss) -> RawUpdate:
        """Exact moments of features and labels, for a linear model."""
        ...

    def confusion(self, weights: bytes, scaling: Scaling | None, classes: int) -> RawUpdate:
        """Exact table of true labels by the model's."""
        ...

    def scores(self, weights: bytes, scaling: Scaling | None, bins: int) -> RawUpdate:
        """Exact histogram of scores by label."""
        ...

    def close(self) -> None:
        """End the worker; a call under way fails with EngineError."""
        ...


class Pool(Protocol):
    """What the agent asks of the engine (``flip_trust.engine.EnginePool``)."""

    def open(self, snapshot: Snapshot, bounds: npt.NDArray[np.float64], graph: bytes | None) -> Session:
        """A worker for one job."""
        ...


class Sessions:
    """Lends sessions to the threads that run tasks. A job's tasks run one after the other, so no two want the same."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._idle: dict[str, Session] = {}
        self._busy: dict[str, Session | None] = {}
        self._stopped: set[str] = set()
        self._closed = False

    @contextmanager
    def lend(self, job_id: str, opening: Callable[[], Session], *, keep: bool) -> Iterator[Session]:
        """The job's session, opened if there is none; with ``keep`` it stays open for the job's next round.

        Raises:
            RefusedError: CANCELLED, the job was stopped.
            EngineError: it cannot be opened, or failed inside.
        """
        session = self._take(job_id)
        done = False
        try:
            session = session or opening()
            self._begin(job_id, session)
            yield session
            done = True
        finally:
            self._return(job_id, session, keep=keep and done)

    def stop(self, job_id: str) -> None:
        """End a job's worker at once, whatever it is doing; the job gets no other."""
        with self._changed:
            self._stopped.add(job_id)
        self.end(job_id)

    def end(self, job_id: str) -> None:
        """End a job's worker, if it has one."""
        with self._changed:
            session = self._idle.pop(job_id, None) or self._busy.get(job_id)
        if session:
            session.close()

    def close(self) -> None:
        """End every worker and open no more."""
        with self._changed:
            self._closed = True
            sessions = [*self._idle.values(), *(session for session in self._busy.values() if session)]
            self._idle.clear()
            self._changed.notify_all()
        for session in sessions:
            session.close()

    def _take(self, job_id: str) -> Session | None:
        evicted = None
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._busy) < self._most)
            self._check(job_id)
            session = self._idle.pop(job_id, None)
            if session is None and len(self._busy) + len(self._idle) >= self._most:
                # the one unused for longest; its cohort is frozen on disk, so it can be opened again
                evicted = self._idle.pop(next(iter(self._idle)))
            self._busy[job_id] = session
        if evicted:
            evicted.close()
        return session

    def _begin(self, job_id: str, session: Session) -> None:
        with self._changed:
            self._busy[job_id] = session
            self._check(job_id)

    def _return(self, job_id: str, session: Session | None, *, keep: bool) -> None:
        with self._changed:
            self._busy.pop(job_id, None)
            kept = keep and not self._closed and job_id not in self._stopped
            if kept and session:
                self._idle[job_id] = session
            self._changed.notify_all()
        if session and not kept:
            session.close()

    def _check(self, job_id: str) -> None:
        if job_id in self._stopped:
            raise RefusedError(RefusalCode.CANCELLED)
        if self._closed:
            raise EngineError(RefusalCode.ENGINE_FAILED, "the agent is stopping")
