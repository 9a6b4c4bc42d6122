"""Warm workers, and the session that one job has with one worker."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.jobs import DPSGD, Scaling
from flip_trust.engine.records import RawUpdate, Snapshot
from flip_trust.engine.sandbox import SandboxKind


class EngineSession:
    """One job's worker. Every method raises EngineError; after ENGINE_FAILED the session is of no more use."""

    @property
    def pid(self) -> int:
        """Process id of the worker (of its sandbox, where there is one)."""
        raise NotImplementedError

    def statistics(self, weight_of_count: float) -> RawUpdate:
        """``persons`` (1,) = weight · n, ``sum`` (d,), ``sum_of_squares`` (d,) of features mapped to [-1, 1]."""
        raise NotImplementedError

    def gradient(self, weights: bytes, scaling: Scaling | None, loss: str, max_grad_norm: float) -> RawUpdate:
        """Sum over persons of clipped gradients, one tensor per parameter."""
        raise NotImplementedError

    def dp_sgd(  # noqa: PLR0913
        self, weights: bytes, scaling: Scaling | None, loss: str, mechanism: DPSGD, noise_multiplier: float, *, expected_persons: float
    ) -> RawUpdate:
        """Local steps of DP-SGD, noise included: new weights minus the ones given."""
        raise NotImplementedError

    def scores(self, weights: bytes, scaling: Scaling | None, bins: int) -> RawUpdate:
        """``histogram`` (2, bins) of predicted probability by true label: exact counts."""
        raise NotImplementedError

    def close(self) -> None:
        """End the worker and delete its slot."""
        raise NotImplementedError


class EnginePool:
    """Keeps ``spare`` workers warm (torch imported), so that a job does not wait for one."""

    def __init__(self, slots: Path, sandbox: SandboxKind = "bubblewrap", spare: int = 1) -> None:
        self._slots, self._sandbox, self._spare = slots, sandbox, spare

    def start(self) -> None:
        """Delete slots a crash left behind and start the spare workers."""
        raise NotImplementedError

    def open(self, snapshot: Snapshot, bounds: npt.NDArray[np.float64], graph: bytes | None) -> EngineSession:
        """Give a job its own worker, which reads the snapshot and, for a model, checks and rebuilds the graph."""
        raise NotImplementedError

    def close(self) -> None:
        """End every worker, sessions included, and delete the slots."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
