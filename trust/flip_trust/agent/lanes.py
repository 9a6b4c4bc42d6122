"""Each job has a lane: its tasks run one after the other, other jobs' beside it. Counts never wait for training."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Lanes(Generic[Item]):
    """Runs items in threads of two kinds: those that need the engine, and those that do not."""

    def __init__(self, work: Callable[[Item], None], *, engine_workers: int, count_workers: int) -> None:
        self._work = work
        self._engine = ThreadPoolExecutor(engine_workers, thread_name_prefix="engine")
        self._count = ThreadPoolExecutor(count_workers, thread_name_prefix="count")
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Item]] = {}
        self._closed = False

    def put(self, job_id: str, item: Item, *, engine: bool) -> None:
        """Queue an item behind those of its job."""
        with self._lock:
            if self._closed:
                return
            lane = self._waiting.get(job_id)
            if lane is None:
                self._waiting[job_id] = deque([item])
                self._pool(engine).submit(self._next, job_id, engine)
            else:
                lane.append(item)

    def drop(self, job_id: str) -> list[Item]:
        """Take back what a job has queued and not begun."""
        with self._lock:
            lane = self._waiting.get(job_id)
            dropped = list(lane or ())
            if lane:
                lane.clear()
            return dropped

    def close(self) -> None:
        """Wait for what is under way; what is queued is not begun."""
        with self._lock:
            self._closed = True
            for lane in self._waiting.values():
                lane.clear()
        self._engine.shutdown(wait=True, cancel_futures=True)
        self._count.shutdown(wait=True, cancel_futures=True)

    def _next(self, job_id: str, engine: bool) -> None:
        with self._lock:
            lane = self._waiting.get(job_id)
            if not lane:
                self._waiting.pop(job_id, None)
                return
            item = lane.popleft()
        try:
            self._work(item)
        finally:
            with self._lock:
                if not self._closed:
                    self._pool(engine).submit(self._next, job_id, engine)

    def _pool(self, engine: bool) -> ThreadPoolExecutor:
        return self._engine if engine else self._count
