"""What a job's model is, what it is told and shown, and what it tells: out of a module, a kept model or a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flip_sdk.asking import Files, Names
from flip_sdk.contract import cohorts as contract
from flip_sdk.contract.features import AnyFeature, AnyLabel, Index
from flip_sdk.contract.images import AnyImages
from flip_sdk.contract.inputs import MOST_SCORED
from flip_sdk.contract.jobs import EvaluateSpec, ModelRef, Part, Scaling, TrainSpec
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import NotFoundError, SpecError
from flip_sdk.extras import needed
from flip_sdk.results import Result

if TYPE_CHECKING:
    from torch import nn

    from flip_sdk.asking import CohortLike, FeatureLike, ImagesLike, LabelLike
    from flip_sdk.contract.graph import Loss

_MOST_RECORDS = 100


@dataclass(frozen=True)
class Given:
    """What a researcher gave; None where they gave nothing."""

    features: Sequence[FeatureLike] | None
    images: ImagesLike | None
    label: LabelLike | None
    index: Index | None
    cohort: CohortLike

    def resolved(self, names: Names) -> Inputs:
        """The contract's records.

        Raises:
            NotFoundError: a name is unknown, or inputs or label are missing.
        """
        if self.label is None:
            raise NotFoundError("There is no label.", "Give label=, such as flip.label(…) or a condition's name.")
        images = names.images(self.images)
        # the one complaint about no features and no images at all is that of the features
        features = names.features(self.features or ()) if self.features or images is None else ()
        return Inputs(features, images, names.label(self.label), self.index or "now", names.cohort(self.cohort))

    def or_else(self, spec: TrainSpec | EvaluateSpec) -> Given:
        """What a job asked for, where nothing is given."""
        inputs = (self.features, self.images) if self.features or self.images else (spec.features, spec.images)
        label, index = self.label or spec.label, self.index or spec.index
        return Given(*inputs, label, index, self.cohort or spec.cohort)


@dataclass(frozen=True)
class Inputs:
    """What a model is told and shown of whom, and what it tells."""

    features: tuple[AnyFeature, ...]
    images: AnyImages | None
    label: AnyLabel
    index: Index
    cohort: contract.Cohort

    @property
    def loss(self) -> Loss:
        """The preset for such a label."""
        return "binary_cross_entropy" if self.label.classes == 2 else "cross_entropy"

    @property
    def records(self) -> int:
        """The preset for the records of a person: as many as one person's images make."""
        if self.images is None:
            return 1
        if self.images.which == "all":
            return MOST_SCORED
        made = self.images.tiles if self.images.kind == "tiles" else getattr(self.images.form, "count", 1)
        return min(_MOST_RECORDS, made)

    def fields(self) -> dict[str, object]:
        """As a job's specification has them."""
        return {name: getattr(self, name) for name in ("features", "images", "label", "index", "cohort")}


@dataclass(frozen=True)
class Subject:
    """What is evaluated: a model, and the inputs and label it was made for.

    Attributes:
        files: to be uploaded first, for a model that the hub does not hold.
    """

    model: ModelRef
    scaling: Scaling
    inputs: Inputs
    files: Files | None = None


def export(model: nn.Module, inputs: Inputs, loss: Loss, *, flat: bool = False) -> Files:
    """The module as an allow-listed graph and plain numbers: no Python leaves the notebook.

    Args:
        model: takes rows of features; with images ``(image)`` of shape ``[n, channels, *size]``, or ``(image, table)``
            where there are features too.
        inputs: what it takes.
        loss: what it is trained for.
        flat: it takes features and the image's numbers in one row already.

    Raises:
        ModelError: it holds what cannot cross, such as BatchNorm; the error names the mend.
    """
    from flip_sdk.models import export_model

    width = len(inputs.features)
    if inputs.images is not None and not flat:
        from flip_sdk.models.showing import shown

        model = shown(model, width, inputs.images.shape)
    width += inputs.images.values if inputs.images is not None else 0
    exported = export_model(model, width, loss)
    return Files(exported.graph, exported.weights)


def subject(model: Result | nn.Module, given: Given, names: Names, loss: Loss | None, part: Part) -> Subject:
    """A result's own model, inputs, label and cohort, where none are given; or a module with those given.

    Raises:
        NotFoundError: inputs or label are given by nobody, or the result has no model.
        ModelError: the module cannot cross.
        SpecError: the model was trained on the persons whom it is to be scored on.
    """
    if isinstance(model, Result):
        return _subject_of_result(model, given, names, part)
    with needed("learning", "A model"):
        from flip_sdk.kept import KeptModel

    scaling: Scaling | None = None
    kept = isinstance(model, KeptModel)
    if isinstance(model, KeptModel):
        # its scaling belongs to the Trusts' side of the boundary: sent as it is, they would scale twice
        if not given.features and not given.images:
            given = replace(given, features=model.features, images=model.images)
        scaling, loss = model.scaling, model.loss
        model = model.inner
    inputs = given.resolved(names)
    files = export(model, inputs, loss or inputs.loss, flat=kept)
    return Subject(files.ref, scaling or public_scaling(inputs.features), inputs, files)


def public_scaling(features: Sequence[AnyFeature]) -> Scaling:
    """From public bounds to [-1, 1]: the middle becomes 0."""
    return Scaling(
        shift=tuple((feature.low + feature.high) / 2 for feature in features),
        scale=tuple((feature.high - feature.low) / 2 for feature in features),
    )


def _subject_of_result(result: Result, given: Given, names: Names, part: Part) -> Subject:
    record = result.record
    if record.model is None:
        raise NotFoundError(f"Job {record.job_id} has no model.", "Give the result of project.train().")
    complete = (given.features or given.images) and given.label
    spec = result.spec if record.spec is not None or not complete else None
    if isinstance(spec, TrainSpec | EvaluateSpec):
        given = given.or_else(spec)
    if isinstance(spec, TrainSpec):
        _check_unseen(spec, part)
    inputs = given.resolved(names)
    scaling = record.scaling or (spec.scaling if isinstance(spec, EvaluateSpec) else None)
    return Subject(record.model, scaling or public_scaling(inputs.features), inputs)


def _check_unseen(spec: TrainSpec, part: Part) -> None:
    if part == "validation" and spec.part in ("train", "all", "validation"):
        message = f"The model was trained on the part {spec.part!r}, in which the persons of 'validation' are."
        mend = "Train with part='fit' to keep them apart, or score on part='test'."
        raise SpecError([Violation(rule="seen_before", where="part", message=message, mend=mend)])
