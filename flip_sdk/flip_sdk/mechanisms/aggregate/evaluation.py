"""An evaluation's figures, whatever its label is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.api import TrustFigures
from flip_sdk.contract.jobs import EvaluateSpec
from flip_sdk.mechanisms.aggregate.confusion import class_figures
from flip_sdk.mechanisms.aggregate.figures import figures


def figures_of(spec: EvaluateSpec, tables: Mapping[str, npt.NDArray[np.float64]]) -> tuple[TrustFigures, ...]:
    """One row per Trust, and ``all``.

    Args:
        spec: what was asked.
        tables: by Trust, what ``contract.inputs.released_scores`` says.
    """
    if spec.label.classes == 2:
        return figures(tables, spec.epsilon)
    return class_figures(tables, spec.epsilon, spec.label.class_names)
