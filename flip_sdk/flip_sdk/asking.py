"""From what a researcher writes to the contract's JobSpec, with mistakes told before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from flip_sdk.catalogue import Catalogue, Concept
from flip_sdk.cohorts import Cohort
from flip_sdk.contract import cohorts as contract
from flip_sdk.contract.check import check
from flip_sdk.contract.features import AnyFeature, AnyLabel, ClassLabel, Feature, Label
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, ModelRef, Scaling, StatisticsSpec, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.errors import NotFoundError, SpecError
from flip_sdk.privacy import build
from flip_sdk.results import Result

if TYPE_CHECKING:
    from torch import nn

    from flip_sdk.contract.graph import Loss

    FeatureLike = AnyFeature | Concept | str | int
    LabelLike = AnyLabel | Concept | str | int
    CohortLike = Cohort | contract.Cohort | None

AnySpec = TypeVar("AnySpec", CountSpec, TrainSpec, EvaluateSpec, StatisticsSpec)


class Names:
    """Looks names up in the project's catalogue, which is asked for only when there is a name."""

    def __init__(self, fetch: Callable[[], Catalogue]) -> None:
        self._fetch = fetch
        self._fetched: Catalogue | None = None

    def catalogue(self) -> Catalogue:
        """The project's catalogue, fetched once."""
        if self._fetched is None:
            self._fetched = self._fetch()
        return self._fetched

    def cohort(self, given: CohortLike) -> contract.Cohort:
        """The contract's cohort; ``None`` is everybody."""
        if given is None:
            return contract.Cohort()
        return given if isinstance(given, contract.Cohort) else given.resolve(self.catalogue)

    def features(self, given: Sequence[FeatureLike]) -> tuple[AnyFeature, ...]:
        """The contract's features.

        Raises:
            NotFoundError: a name is unknown, or there is none at all.
        """
        if not given:
            raise NotFoundError(
                "No feature is given.", "project.catalogue().features() gives all that the Trusts hold."
            )
        named = any(isinstance(one, str | int) for one in given)
        catalogue = self.catalogue() if named else Catalogue(())
        return tuple(_feature(one, catalogue) for one in given)

    def measurements(self, given: Sequence[FeatureLike]) -> tuple[Feature, ...]:
        """The contract's features, for a question that takes measurements alone.

        Raises:
            NotFoundError: a name is unknown, there is none at all, or one is no measurement.
        """
        found = self.features(given)
        if wrong := [one for one in found if not isinstance(one, Feature)]:
            raise NotFoundError(f"{wrong[0].name or wrong[0].kind} is no measurement.", "Give measurements.")
        return tuple(one for one in found if isinstance(one, Feature))

    def label(self, given: LabelLike) -> AnyLabel:
        """The contract's label.

        Raises:
            NotFoundError: its name is unknown.
        """
        if isinstance(given, Label | ClassLabel):
            return given
        return given.label() if isinstance(given, Concept) else self.catalogue().label(given)


class Files:
    """A model's graph and weights, as they are uploaded."""

    def __init__(self, graph: bytes, weights: bytes) -> None:
        self.blobs = (graph, weights)
        self.ref = ModelRef(graph=digest(graph), weights=digest(weights))


@dataclass(frozen=True)
class Subject:
    """What is evaluated: a model, and the inputs and label it was made for.

    Attributes:
        files: to be uploaded first, for a model that the hub does not hold.
    """

    model: ModelRef
    scaling: Scaling
    features: tuple[AnyFeature, ...]
    label: AnyLabel
    cohort: contract.Cohort
    files: Files | None = None


def export(model: nn.Module, features: int, loss: Loss) -> Files:
    """The module as an allow-listed graph and plain numbers: no Python leaves the notebook.

    Raises:
        ModelError: it holds what cannot cross, such as BatchNorm; the error names the mend.
    """
    from flip_sdk.models import export_model

    exported = export_model(model, features, loss)
    return Files(exported.graph, exported.weights)


def subject(
    given: Result | nn.Module,
    names: Names,
    features: Sequence[FeatureLike] | None,
    label: LabelLike | None,
    cohort: CohortLike,
    loss: Loss,
) -> Subject:
    """A result's own model, inputs, label and cohort, where none are given; or a module with those given.

    Raises:
        NotFoundError: features or label are given by nobody, or the result has no model.
        ModelError: the module cannot cross.
    """
    if isinstance(given, Result):
        return _subject_of_result(given, names, features, label, cohort)
    from flip_sdk.kept import KeptModel

    scaling: Scaling | None = None
    if isinstance(given, KeptModel):
        # its scaling belongs to the Trusts' side of the boundary: sent as it is, they would scale twice
        features, scaling, loss = features or given.features, given.scaling, given.loss
        given = given.inner
    resolved, told = _inputs(names, features, label)
    files = export(given, len(resolved), loss)
    return Subject(files.ref, scaling or public_scaling(resolved), resolved, told, names.cohort(cohort), files)


def public_scaling(features: Sequence[AnyFeature]) -> Scaling:
    """From public bounds to [-1, 1]: the middle becomes 0."""
    return Scaling(
        shift=tuple((feature.low + feature.high) / 2 for feature in features),
        scale=tuple((feature.high - feature.low) / 2 for feature in features),
    )


def checked(record: type[AnySpec], **fields: Any) -> AnySpec:
    """A JobSpec that keeps the contract's rules.

    Raises:
        RecordError: a field does not fit.
        SpecError: rules are broken: all of them.
    """
    spec = build(record, **fields)
    found = check(spec)
    if found:
        raise SpecError(found)
    return spec


def _subject_of_result(
    given: Result,
    names: Names,
    features: Sequence[FeatureLike] | None,
    label: LabelLike | None,
    cohort: CohortLike,
) -> Subject:
    record = given.record
    if record.model is None:
        raise NotFoundError(f"Job {record.job_id} has no model.", "Give the result of project.train().")
    spec = given.spec if not (features and label) else None
    if isinstance(spec, TrainSpec | EvaluateSpec):
        features, label, cohort = features or spec.features, label or spec.label, cohort or spec.cohort
    resolved, told = _inputs(names, features, label)
    scaling = record.scaling or (spec.scaling if isinstance(spec, EvaluateSpec) else None)
    return Subject(record.model, scaling or public_scaling(resolved), resolved, told, names.cohort(cohort))


def _inputs(
    names: Names, features: Sequence[FeatureLike] | None, label: LabelLike | None
) -> tuple[tuple[AnyFeature, ...], AnyLabel]:
    if not features or label is None:
        raise NotFoundError("Features and label are missing.", "Give features= and label= as the model was trained.")
    return names.features(features), names.label(label)


def _feature(given: FeatureLike, catalogue: Catalogue) -> AnyFeature:
    if not isinstance(given, Concept | str | int):
        return given
    return given.feature() if isinstance(given, Concept) else catalogue.feature(given)
