"""One training over people of a world, by the very code that simulations run, and how well its model then does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.graph import Loss
from flip_sdk.contract.jobs import Scaling, TrainSpec
from flip_sdk.contract.notices import CATALOGUE_EPSILON
from flip_sdk.mechanisms.floors import FLOOR, ROUNDING, TRAIN_SHARE, least_told
from flip_sdk.simulate.noise import LOUD

if TYPE_CHECKING:
    from torch import nn

    from flip_sdk.mechanisms.snapshot import Snapshot
    from flip_sdk.models import ExportedModel

Array = npt.NDArray[np.float64]
_STEPS, _RATE = 150, 0.02


@dataclass(frozen=True)
class Tried:
    """How well a model does on persons that it was not trained on.

    Attributes:
        accuracy: share of persons told right.
        auc: area under the ROC curve; of several classes the mean over each against the others.
        too_small: Trusts that refused, being under their floor.
    """

    accuracy: float
    auc: float
    too_small: tuple[str, ...] = ()


def attempt(spec: TrainSpec, model: ExportedModel, people: Mapping[str, Snapshot], test: Snapshot) -> Tried:
    """Train with noise and floors as at real Trusts, then score; where too few Trusts are left, everybody is told the
    most frequent label.
    """
    from flip_sdk.simulate.training import Training

    training = Training(spec, model.graph, model.weights, people, LOUD, len(people), _over_floor(people))
    if training.scaling is None:
        share = np.bincount(test.label_of_person).max() / test.count
        return Tried(float(share), 0.5, training.too_small)
    for number in range(1, spec.rounds + 1):
        training.round(number)
    bounds = np.array([[feature.low, feature.high] for feature in spec.features])
    logits = logits_of(model.graph, training.weights(), test, bounds, training.scaling)
    return scored(test, logits, spec.loss, training.too_small)


def _over_floor(people: Mapping[str, Snapshot]) -> list[str]:
    """As at real Trusts that published a number of persons: the training's are a part of theirs."""
    least = least_told(FLOOR, CATALOGUE_EPSILON, ROUNDING, TRAIN_SHARE)
    return [name for name, snapshot in people.items() if snapshot.count / TRAIN_SHARE >= least]


def without_privacy(
    model: nn.Module, loss: Loss, people: Mapping[str, Snapshot], test: Snapshot, bounds: Array
) -> Tried:
    """The same model, trained on everybody in one place without noise: what there is to lose."""
    from flip_sdk.models import export_model
    from flip_sdk.simulate.pretraining import pretrain

    rows = np.concatenate([one.features for one in people.values()])
    labels = np.concatenate([one.labels for one in people.values()])
    learned = pretrain(model, rows, labels, loss=loss, steps=_STEPS, learning_rate=_RATE)
    exported = export_model(learned.model, rows.shape[1], loss)
    return scored(test, logits_of(exported.graph, exported.weights, test, bounds, learned.scaling), loss)


def logits_of(graph: bytes, weights: bytes, people: Snapshot, bounds: Array, scaling: Scaling) -> Array:
    """``[persons, outputs]``: the mean over each person's records."""
    import torch

    from flip_sdk.mechanisms.features import scaled
    from flip_sdk.models import import_model

    rows = torch.from_numpy(scaled(people.features, bounds, scaling).astype(np.float32))
    with torch.no_grad():
        outputs = import_model(graph, weights)(rows)
    return people.mean_of_rows(outputs.double().numpy())


def scored(people: Snapshot, logits: Array, loss: Loss, too_small: tuple[str, ...] = ()) -> Tried:
    """Accuracy and AUC of persons' logits."""
    labels = people.label_of_person
    if loss == "cross_entropy":
        every = [_auc(logits[:, c] - _rest(logits, c), labels == c) for c in np.unique(labels)]
        return Tried(float((logits.argmax(axis=1) == labels).mean()), float(np.mean(every)), too_small)
    score = logits[:, 0]
    edge = 0.0 if loss == "binary_cross_entropy" else 0.5
    return Tried(float(((score > edge) == (labels > 0)).mean()), _auc(score, labels > 0), too_small)


def _rest(logits: Array, one: int) -> Array:
    """Logarithm of the sum of the other classes' odds: a class's logit less this orders as its probability does."""
    others = np.delete(logits, one, axis=1)
    rest: Array = np.logaddexp.reduce(others, axis=1)
    return rest


def _auc(scores: Array, ill: npt.NDArray[np.bool_]) -> float:
    """The chance that somebody with the label is scored above somebody without (Mann and Whitney), ties by half."""
    if ill.all() or not ill.any():
        return 0.5
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    above = ranks[ill].sum() - ill.sum() * (ill.sum() + 1) / 2
    return float(above / (ill.sum() * (~ill).sum()))
