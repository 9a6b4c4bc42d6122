"""Fakes that keep the carrier's, the hub client's and the engine's interfaces, for tests without a hub."""

from __future__ import annotations

import base64
import itertools
import json
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from flip_sdk.contract.graph import Loss
from flip_sdk.contract.jobs import DPSGD, Scaling
from flip_sdk.contract.logs import RootTold
from flip_sdk.contract.notices import ProjectForTrust
from flip_sdk.contract.prepare import longest
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.moments import SENSITIVITY_OF_STATISTICS
from flip_sdk.mechanisms.snapshot import Snapshot
from safetensors.numpy import load

from flip_trust.agent.hub_client import HubRefusedError, HubUnreachableError
from flip_trust.engine.records import EngineError, RawUpdate


class FakeReceived:
    """A message whose parts were put there by a test."""

    def __init__(self, parts: Mapping[str, bytes], message: object = None) -> None:
        self.parts = dict(parts)
        self.message: Any = message


class FakeCarrier:
    """Delivers what a test puts in, and keeps what is answered."""

    def __init__(self) -> None:
        self.away = False
        self._numbers = itertools.count()
        self._inbox: queue.Queue[FakeReceived | None] = queue.Queue()
        self._answered = threading.Condition()
        self._answers: dict[int, dict[str, bytes]] = {}

    def put(self, parts: Mapping[str, bytes]) -> FakeReceived:
        """Send the Trust a message."""
        received = FakeReceived(parts, next(self._numbers))
        self._inbox.put(received)
        return received

    def receive(self, wait: float = 2.0) -> Any:
        """The next message."""
        try:
            return self._inbox.get(timeout=wait)
        except queue.Empty:
            return None

    def hang_up(self) -> None:
        """Let whoever waits for a message go on without one, as an agent that was told to stop need not wait."""
        self._inbox.put(None)

    def reply(self, received: Any, parts: Mapping[str, bytes]) -> None:
        """Keep an answer.

        Raises:
            HubUnreachableError: ``away`` is set.
        """
        if self.away:
            raise HubUnreachableError("the hub is away")
        with self._answered:
            self._answers[received.message] = dict(parts)
            self._answered.notify_all()

    def answer(self, received: FakeReceived, seconds: float = 30.0) -> dict[str, bytes]:
        """Wait for the answer to a message.

        Raises:
            TimeoutError: there is none in time.
        """
        with self._answered:
            if not self._answered.wait_for(lambda: received.message in self._answers, seconds):
                raise TimeoutError("no answer")
            return self._answers[received.message]

    def wire(self) -> list[bytes]:
        """Every byte that left."""
        with self._answered:
            return [part for parts in self._answers.values() for part in parts.values()]


class FakeClient:
    """Keeps the notices that are posted."""

    def __init__(self, projects: tuple[ProjectForTrust, ...] = ()) -> None:
        self.away = False
        self.refuses: set[str] = set()
        self.posted: list[str] = []
        self.orders: list[str] = []
        self.roots: list[RootTold] = []
        self._projects = projects

    def post_notice(self, jws: str) -> None:
        """Keep a notice.

        Raises:
            HubUnreachableError: ``away`` is set.
            HubRefusedError: its kind is in ``refuses``.
        """
        if self.away:
            raise HubUnreachableError("the hub is away")
        if _kind(jws) in self.refuses:
            raise HubRefusedError("the hub says no")
        self.posted.append(jws)

    def ask_projects(self, jws: str) -> list[ProjectForTrust]:
        """The projects that a test gave.

        Raises:
            HubUnreachableError: ``away`` is set.
        """
        if self.away or not jws:
            raise HubUnreachableError("the hub is away")
        return list(self._projects)

    def ask_purges(self, jws: str) -> list[str]:
        """The signed orders that a test put into ``orders``.

        Raises:
            HubUnreachableError: ``away`` is set.
        """
        if self.away or not jws:
            raise HubUnreachableError("the hub is away")
        return list(self.orders)

    def ask_roots(self, jws: str) -> list[RootTold]:
        """The daily roots that a test put into ``roots``.

        Raises:
            HubUnreachableError: ``away`` is set.
        """
        if self.away or not jws:
            raise HubUnreachableError("the hub is away")
        return list(self.roots)


class FakePool:
    """An engine of plain numpy: exact sums, and gradients of the right shape. Counts what it is asked to compute."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.opened = 0
        self.sessions: list[FakeSession] = []
        self.hold: threading.Event | None = None
        self.begun = threading.Event()
        self.fail: Exception | None = None
        self.before_work: Callable[[], object] | None = None

    def open(self, snapshot: Snapshot, bounds: npt.NDArray[np.float64], graph: bytes | None) -> FakeSession:
        """A session over a snapshot."""
        self.opened += 1
        if graph == b"":
            raise EngineError(RefusalCode.MODEL_REFUSED, "empty")
        self.sessions.append(FakeSession(self, snapshot, bounds))
        return self.sessions[-1]


class FakeSession:
    """One job's session."""

    def __init__(self, pool: FakePool, snapshot: Snapshot, bounds: npt.NDArray[np.float64]) -> None:
        self._pool, self._snapshot = pool, snapshot
        low, high = bounds[:, 0], bounds[:, 1]
        clamped = np.clip(snapshot.features, low, high)
        mapped = (clamped - (low + high) / 2) / ((high - low) / 2)
        self._mapped = np.nan_to_num(mapped, nan=0.0)
        self._closed = threading.Event()

    def statistics(self, weight_of_count: float) -> RawUpdate:
        """Exact count and sums."""
        self._work("statistics")
        persons, features = self._mapped.shape
        tensors = {
            "persons": np.array([weight_of_count * persons]),
            "sum": self._mapped.sum(axis=0),
            "sum_of_squares": (self._mapped**2).sum(axis=0),
        }
        return RawUpdate(tensors, float(np.hypot(weight_of_count, longest(features))), noised=False)

    def sufficient_statistics(self, scaling: Scaling | None, loss: Loss) -> RawUpdate:
        """Zeros for one output."""
        self._work(f"sufficient_statistics {loss} {scaling is not None}")
        width = self._mapped.shape[1] + 1
        tensors = {"gram": np.zeros((width, width)), "moment": np.zeros((width, 1))}
        return RawUpdate(tensors, SENSITIVITY_OF_STATISTICS, noised=False)

    def gradient(self, weights: bytes, scaling: Scaling | None, loss: Loss, max_grad_norm: float) -> RawUpdate:
        """Zeros in the shape of the weights."""
        self._work(f"gradient {loss} {scaling is not None}")
        return RawUpdate(_zeros(weights), max_grad_norm, noised=False)

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
        """Zeros in the shape of the weights."""
        corrected = " corrected" if correction else ""
        self._work(f"dp_sgd {loss} {scaling is not None} {noise_multiplier > 0} {expected_persons > 0}{corrected}")
        return RawUpdate(_zeros(weights), mechanism.max_grad_norm, noised=True)

    def scores(self, weights: bytes, scaling: Scaling | None, bins: int) -> RawUpdate:
        """Everybody in the first bin."""
        self._work(f"scores {len(weights) > 0} {scaling is not None}")
        histogram = np.zeros((2, bins), dtype=np.int64)
        histogram[:, 0] = np.bincount(self._snapshot.label_of_person, minlength=2)
        return RawUpdate({"histogram": histogram}, 1.0, noised=False)

    def confusion(self, weights: bytes, scaling: Scaling | None, classes: int) -> RawUpdate:
        """Everybody is given label 0."""
        self._work(f"confusion {len(weights) > 0} {scaling is not None}")
        cells = np.zeros((classes, classes), dtype=np.int64)
        cells[:, 0] = np.bincount(self._snapshot.label_of_person, minlength=classes)
        return RawUpdate({"confusion": cells}, 1.0, noised=False)

    def close(self) -> None:
        """End the session; what it is doing fails."""
        self._closed.set()
        if self._pool.hold:
            self._pool.hold.set()

    def _work(self, what: str) -> None:
        self._pool.calls.append(what)
        self._pool.begun.set()
        if self._pool.before_work:
            self._pool.before_work()
        if self._pool.fail:
            raise self._pool.fail
        if self._pool.hold:
            self._pool.hold.wait()
        if self._closed.is_set():
            raise EngineError(RefusalCode.ENGINE_FAILED, "the worker was ended")


def _zeros(weights: bytes) -> dict[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]]:
    return {name: np.zeros(value.shape) for name, value in load(weights).items()}


def _kind(jws: str) -> str:
    body = jws.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["notice"]["kind"])
