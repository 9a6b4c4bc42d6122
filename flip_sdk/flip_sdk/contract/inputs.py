"""What one row of a model's input is: the features, then the numbers of an image, in one vector."""

from __future__ import annotations

from flip_sdk.contract.graph import GraphRecord, check_output
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec

MOST_SCORED = 16
"""So many images of a person are scored at most, and their mean counts."""


def width_of(spec: TrainSpec | EvaluateSpec) -> int:
    """How many numbers a model of this job takes."""
    return len(spec.features) + (spec.images.values if spec.images is not None else 0)


def records_of(spec: TrainSpec | EvaluateSpec) -> int:
    """How many rows one person has at most."""
    if isinstance(spec, TrainSpec):
        return spec.max_records_per_person
    return MOST_SCORED if spec.images is not None else 1


def check_model(record: GraphRecord, spec: TrainSpec | EvaluateSpec) -> list[str]:
    """Whether a model fits the job's inputs, loss and label; what is wrong, in words."""
    loss = spec.loss if isinstance(spec, TrainSpec) else None
    return check_output(record, width_of(spec), loss, spec.label.classes)


def released_scores(spec: EvaluateSpec) -> tuple[str, tuple[int, int]]:
    """Name and shape of what an evaluation counts persons in.

    With two classes ``histogram`` (2, bins), scores by true label; with more ``confusion`` (classes, classes), the true
    label by the one that the model gives. A person is in exactly one cell.
    """
    classes = spec.label.classes
    return ("histogram", (2, spec.bins)) if classes == 2 else ("confusion", (classes, classes))
