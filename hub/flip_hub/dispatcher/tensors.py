"""Reading the safetensors blob of an update: bounded, by name and shape, finite numbers only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from flip_sdk.contract.graph import parse_graph
from flip_sdk.contract.inputs import released_scores
from flip_sdk.contract.jobs import AnySpec, CountSpec, EvaluateSpec, StatisticsSpec, SufficientStatistics, TrainSpec
from flip_sdk.contract.tasks import Step
from flip_sdk.mechanisms.moments import statistics_shapes
from flip_sdk.mechanisms.statistics.release import release_of
from flip_sdk.secure_sum.vector import size_of
from safetensors import SafetensorError
from safetensors.numpy import load

from flip_hub.dispatcher.errors import ReplyError

Tensors = dict[str, npt.NDArray[np.float64]]
Shapes = Mapping[str, tuple[int, ...]]
Masked = npt.NDArray[np.uint64]
NO_MASKED: Masked = np.zeros(0, dtype=np.uint64)
_NUMBERS = frozenset({np.dtype("float32"), np.dtype("float64"), np.dtype("int64")})


def shapes_of(graph: bytes) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a model's parameters.

    Raises:
        ModelError: this is not a model graph.
    """
    return {name: tuple(weight.shape) for name, weight in parse_graph(graph).parameters.items()}


def expected_shapes(spec: AnySpec, step: Step, parameters: Shapes) -> Shapes:
    """What an update of this step has to hold.

    Args:
        spec: the job.
        step: the task's.
        parameters: names and shapes of the model's parameters.
    """
    match spec, step:
        case CountSpec(), "count":
            return {"persons": (1,)}
        case EvaluateSpec(), "evaluate":
            name, shape = released_scores(spec)
            return {name: shape}
        case StatisticsSpec(), "statistics":
            return release_of(spec.question).shapes
        case TrainSpec(), "prepare":
            width = (len(spec.features),)
            more = {"sum": width, "sum_of_squares": width} if spec.privacy.scaling == "dp_statistics" else {}
            return {"persons": (1,), **more}
        case TrainSpec(), "train":
            in_one = isinstance(spec.privacy.mechanism, SufficientStatistics)
            return statistics_shapes(len(spec.features), parameters) if in_one else parameters
    raise ReplyError(f"a job of the kind {spec.kind} has no step {step}")


def read_tensors(content: bytes, shapes: Shapes) -> Tensors:
    """The arrays of an update, as float64.

    Raises:
        ReplyError: not safetensors, other names or shapes, not numbers, or not finite.
    """
    arrays = _arrays(content)
    if {name: array.shape for name, array in arrays.items()} != dict(shapes):
        raise ReplyError("the tensors are not the ones that were asked for")
    if any(array.dtype not in _NUMBERS for array in arrays.values()):
        raise ReplyError("the tensors are not numbers of 32 or 64 bits")
    # in order of names, so that adding them up rounds the same every time
    wide = {name: arrays[name].astype(np.float64) for name in sorted(arrays)}
    if not all(np.isfinite(array).all() for array in wide.values()):
        raise ReplyError("the tensors hold numbers that are not finite")
    return wide


def read_masked(content: bytes, shapes: Shapes) -> Masked:
    """The masked vector of an update with noise shares. Any value may occur in it: they look like chance.

    Args:
        content: the blob.
        shapes: of the tensors that were asked for, one after the other.

    Raises:
        ReplyError: not safetensors, something beside the vector, another length, or not integers modulo 2^64.
    """
    arrays = _arrays(content)
    if {name: array.shape for name, array in arrays.items()} != {"masked": (size_of(shapes),)}:
        raise ReplyError("the masked vector is not the one that was asked for")
    if arrays["masked"].dtype != np.uint64:
        raise ReplyError("the masked vector does not hold integers modulo 2^64")
    return arrays["masked"].astype(np.uint64, copy=False)


def _arrays(content: bytes) -> dict[str, npt.NDArray[np.generic]]:
    try:
        return dict(load(content))
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise ReplyError("the tensors are not safetensors") from error
