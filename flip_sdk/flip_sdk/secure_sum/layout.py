"""Which numbers a step of a job with noise shares sums: out of the job and its model alone, the same on every side."""

from __future__ import annotations

from dataclasses import dataclass

from flip_sdk.contract import prepare
from flip_sdk.contract.jobs import FullBatch, SufficientStatistics, TrainSpec
from flip_sdk.errors import EncodingError
from flip_sdk.mechanisms.moments import SENSITIVITY_OF_STATISTICS, statistics_shapes
from flip_sdk.secure_sum.encoding import Encoding
from flip_sdk.secure_sum.vector import Shapes, size_of


@dataclass(frozen=True)
class Layout:
    """The numbers of one sum.

    Attributes:
        shapes: its tensors, by name.
        sensitivity: L2 bound of one person's contribution to all of them together.
    """

    shapes: Shapes
    sensitivity: float

    @property
    def encoding(self) -> Encoding:
        """How they become integers.

        Raises:
            EncodingError: they do not fit.
        """
        return Encoding.for_sum(self.sensitivity, size_of(self.shapes))


def layout_of(spec: TrainSpec, step: str, parameters: Shapes) -> Layout:
    """What a step sums.

    Args:
        spec: the job.
        step: ``prepare`` or ``train``.
        parameters: shapes of the model's parameters.

    Raises:
        EncodingError: the job's mechanism has no sum over Trusts.
    """
    if step == "prepare":
        features = (len(spec.features),)
        statistics = spec.privacy.scaling == "dp_statistics"
        more: Shapes = {"sum": features, "sum_of_squares": features} if statistics else {}
        return Layout({"persons": (1,), **more}, prepare.sensitivity(spec))
    if isinstance(spec.privacy.mechanism, FullBatch):
        return Layout(parameters, spec.privacy.mechanism.max_grad_norm)
    if isinstance(spec.privacy.mechanism, SufficientStatistics):
        return Layout(statistics_shapes(len(spec.features), parameters), SENSITIVITY_OF_STATISTICS)
    raise EncodingError("This mechanism is not summed over Trusts.")
