"""Checks of a model graph that need no torch: the agent makes them before it hands a graph to a worker."""

from __future__ import annotations

from flip_sdk.contract.graph import LIMITS, GraphRecord, Limits, Loss, check_output, parse_graph
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import ModelError, ModelTooLargeError

from flip_trust.engine.records import EngineError


def read_graph(graph: bytes, features: int, limits: Limits = LIMITS) -> GraphRecord:
    """Check a graph without torch, as the agent itself does before it hands it to a worker.

    Raises:
        EngineError: MODEL_TOO_LARGE or MODEL_REFUSED.
    """
    try:
        record = parse_graph(graph, limits)
        check(record, features, None)
    except ModelError as error:
        raise refused(error) from error
    return record


def check(record: GraphRecord, features: int, loss: Loss | None) -> None:
    """Whether the model fits the job's features and loss.

    Raises:
        EngineError: MODEL_REFUSED.
    """
    problems = check_output(record, features, loss)
    if problems:
        raise EngineError(RefusalCode.MODEL_REFUSED, " ".join(problems))


def refused(error: ModelError) -> EngineError:
    """A model's error as the engine's."""
    too_large = isinstance(error, ModelTooLargeError)
    return EngineError(RefusalCode.MODEL_TOO_LARGE if too_large else RefusalCode.MODEL_REFUSED, error.message)
