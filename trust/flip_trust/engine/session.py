"""The session that one job has with one worker. The worker's answers are checked: it has read a model from outside."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from flip_sdk.contract.graph import GraphRecord, Loss
from flip_sdk.contract.jobs import DPSGD, Scaling
from flip_sdk.contract.prepare import longest
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.moments import SENSITIVITY_OF_STATISTICS, statistics_shapes
from safetensors import SafetensorError
from safetensors.numpy import load

from flip_trust.engine.checks import check
from flip_trust.engine.process import Worker
from flip_trust.engine.records import EngineError, RawUpdate

Shapes = dict[str, tuple[int, ...]]
Tensors = dict[str, npt.NDArray[Any]]
_SLACK = 1e-6


class EngineSession:
    """One job's worker. Every method raises EngineError; after ENGINE_FAILED the session is of no more use.

    Not for several threads at a time.
    """

    def __init__(
        self,
        worker: Worker,
        record: GraphRecord | None,
        persons: int,
        features: int,
        width: int,
        seconds: float,
        ended: Callable[[EngineSession], None],
        asked: Callable[[], None] = lambda: None,
    ) -> None:
        self._worker, self._record, self._persons = worker, record, persons
        self._features, self._width = features, width
        self._seconds, self._ended, self._asked = seconds, ended, asked

    @property
    def pid(self) -> int:
        """Process id of the worker, or of its sandbox where there is one."""
        return self._worker.pid

    def statistics(self, weight_of_count: float) -> RawUpdate:
        """``persons`` (1,) = weight · n; ``sum`` (d,) and ``sum_of_squares`` (d,) as ``contract.prepare`` says.

        As one vector its L2 sensitivity is ``sqrt(weight² + longest(d)²)``.
        """
        width = (self._features,)
        shapes: Shapes = {"persons": (1,), "sum": width, "sum_of_squares": width}
        tensors = self._ask({"do": "statistics", "weight_of_count": weight_of_count}, b"", shapes)
        most = max(float(np.abs(tensors[name]).max(initial=0.0)) for name in ("sum", "sum_of_squares"))
        if most > self._persons * (1 + _SLACK):
            raise self._distrust("statistics beyond their bounds")
        return RawUpdate(tensors, math.hypot(weight_of_count, longest(self._features)), noised=False)

    def sufficient_statistics(self, scaling: Scaling | None, loss: Loss) -> RawUpdate:
        """``gram`` (d + 1, d + 1) and ``moment`` (d + 1, outputs) of a linear model (``mechanisms.moments``)."""
        shapes = statistics_shapes(self._features, self._parameters(loss))
        header = {"do": "sufficient_statistics", "scaling": _plain(scaling), "loss": loss}
        tensors = self._ask(header, b"", shapes)
        if any(float(np.linalg.norm(value)) > self._persons * (1 + _SLACK) for value in tensors.values()):
            raise self._distrust("sufficient statistics beyond their bounds")
        return RawUpdate(tensors, SENSITIVITY_OF_STATISTICS, noised=False)

    def gradient(self, weights: bytes, scaling: Scaling | None, loss: Loss, max_grad_norm: float) -> RawUpdate:
        """Sum over persons of their gradients, each clipped to ``max_grad_norm``: one tensor per parameter."""
        header = {"do": "gradient", "scaling": _plain(scaling), "loss": loss, "max_grad_norm": max_grad_norm}
        tensors = self._ask(header, weights, self._parameters(loss))
        norm = math.sqrt(sum(float(np.square(value).sum()) for value in tensors.values()))
        if norm > self._persons * max_grad_norm * (1 + _SLACK):
            raise self._distrust("a sum of gradients beyond its bound")
        return RawUpdate(tensors, max_grad_norm, noised=False)

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
        """Local steps of DP-SGD with their noise inside: new weights minus the ones given.

        Args:
            weights: where to begin.
            scaling: shared feature scaling.
            loss: the model's loss.
            mechanism: clipping, sampling rate, learning rate, number of steps.
            noise_multiplier: of each step, in units of ``max_grad_norm``.
            expected_persons: the noisy number of persons released by ``prepare``; sums are divided by it times the
                sampling rate, never by the true number.
            correction: tensors to add to every step's gradient, one per parameter (SCAFFOLD).
        """
        if not (math.isfinite(expected_persons) and expected_persons > 0 and noise_multiplier > 0):
            raise EngineError(
                RefusalCode.ENGINE_FAILED, "DP-SGD was asked for without a number of persons or without noise"
            )
        header = {
            "do": "dp_sgd",
            "scaling": _plain(scaling),
            "loss": loss,
            "mechanism": mechanism.model_dump(mode="json"),
            "noise_multiplier": noise_multiplier,
            "expected_persons": expected_persons,
            "weights": len(weights),
        }
        tensors = self._ask(header, weights + (correction or b""), self._parameters(loss))
        return RawUpdate(tensors, mechanism.max_grad_norm, noised=True)

    def scores(self, weights: bytes, scaling: Scaling | None, bins: int) -> RawUpdate:
        """``histogram`` (2, bins) of predicted probabilities by true label, exact; its L1 sensitivity is 1."""
        return self._cells({"do": "scores", "scaling": _plain(scaling), "bins": bins}, weights, "histogram", (2, bins))

    def confusion(self, weights: bytes, scaling: Scaling | None, classes: int) -> RawUpdate:
        """``confusion`` (classes, classes): true label by the model's, exact; its L1 sensitivity is 1."""
        header = {"do": "confusion", "scaling": _plain(scaling), "classes": classes}
        return self._cells(header, weights, "confusion", (classes, classes))

    def _cells(self, header: dict[str, Any], weights: bytes, name: str, shape: tuple[int, int]) -> RawUpdate:
        self._parameters(None)
        tensors = self._ask(header, weights, {name: shape}, np.dtype(np.int64))
        cells = tensors[name]
        if cells.min(initial=0) < 0 or int(cells.sum()) != self._persons:
            raise self._distrust("a table of another number of persons")
        return RawUpdate(tensors, 1.0, noised=False)

    def close(self) -> None:
        """End the worker and delete its slot. Safe to call again."""
        self._worker.end()
        self._ended(self)

    def _parameters(self, loss: Loss | None) -> Shapes:
        if self._record is None:
            raise EngineError(RefusalCode.GRAPH_MISSING, "this session was opened without a model graph")
        check(self._record, self._width, loss)
        return {key: weight.shape for key, weight in self._record.parameters.items()}

    def _ask(
        self, header: dict[str, Any], payload: bytes, shapes: Shapes, dtype: np.dtype[Any] | None = None
    ) -> Tensors:
        self._asked()
        dtype = dtype or np.dtype(np.float64)
        size = sum(math.prod(shape) for shape in shapes.values()) * dtype.itemsize
        content = self._worker.ask(header, payload, self._seconds, size + 1000 * (len(shapes) + 1))
        try:
            tensors: Tensors = load(content)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise self._distrust("an answer that is not safetensors") from error
        if {name: value.shape for name, value in tensors.items()} != shapes:
            raise self._distrust("tensors of other names or shapes")
        if any(value.dtype != dtype or not bool(np.isfinite(value).all()) for value in tensors.values()):
            raise self._distrust("numbers of another kind, or not finite")
        return tensors

    def _distrust(self, what: str) -> EngineError:
        self.close()
        return EngineError(RefusalCode.ENGINE_FAILED, f"the worker answered {what}")


def _plain(scaling: Scaling | None) -> dict[str, Any] | None:
    return scaling.model_dump(mode="json") if scaling is not None else None
