"""From what a researcher writes to the contract's JobSpec, with mistakes told before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from flip_sdk.catalogue import Catalogue, Concept
from flip_sdk.cohorts import Cohort, Rule
from flip_sdk.contract import cohorts as contract
from flip_sdk.contract.check import check
from flip_sdk.contract.features import AnyFeature, AnyLabel, ClassLabel, Feature, Label
from flip_sdk.contract.images import AnyImages
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, ModelRef, StatisticsSpec, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.errors import NotFoundError, PublicError, SpecError
from flip_sdk.events import Measured
from flip_sdk.inputs import Input, Outcome
from flip_sdk.privacy import build

if TYPE_CHECKING:
    from flip_sdk.imaging import Images, Tiles

    FeatureLike = AnyFeature | Input | Measured | Concept | str | int
    LabelLike = AnyLabel | Outcome | Concept | str | int
    ImagesLike = AnyImages | Images | Tiles
    CohortLike = Cohort | Rule | contract.Cohort | None

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
        """The contract's cohort; ``None`` is everybody.

        Raises:
            NotFoundError: a name is unknown.
            PublicError: it is something else.
        """
        match given:
            case None:
                return contract.Cohort()
            case contract.Cohort():
                return given
            case Cohort():
                return given.resolve(self.catalogue)
            case Rule():
                return Cohort(given).resolve(self.catalogue)
        raise PublicError(
            f"{given!r} is no cohort.", "Give rules, such as flip.Cohort(flip.has_condition('malignant'))."
        )

    def features(self, given: Sequence[FeatureLike]) -> tuple[AnyFeature, ...]:
        """The contract's features.

        Raises:
            NotFoundError: a name is unknown, or there is none at all.
        """
        if not given:
            raise NotFoundError(
                "No feature is given.",
                "project.catalogue().features() gives all measurements that the Trusts hold; or give images.",
            )
        return tuple(self._feature(one) for one in several(given))

    def _feature(self, given: FeatureLike) -> AnyFeature:
        match given:
            case Measured():
                return given.latest().record(self.catalogue)
            case Input():
                return given.record(self.catalogue)
            case Concept():
                return given.feature()
            case str() | int():
                return self.catalogue().feature(given)
            case _:
                return given

    def measurements(self, given: Sequence[FeatureLike]) -> tuple[Feature, ...]:
        """The contract's features, for a question that takes measurements alone.

        Raises:
            NotFoundError: a name is unknown, there is none at all, or one is no measurement.
        """
        found = self.features(given)
        if wrong := [one for one in found if not isinstance(one, Feature)]:
            raise NotFoundError(f"{wrong[0].name or wrong[0].kind} is no measurement.", "Give measurements.")
        return tuple(one for one in found if isinstance(one, Feature))

    def images(self, given: ImagesLike | None) -> AnyImages | None:
        """The contract's images.

        Raises:
            SpecError: something is not said yet.
        """
        from flip_sdk.imaging import Images, Tiles

        return given.record() if isinstance(given, Images | Tiles) else given

    def label(self, given: LabelLike) -> AnyLabel:
        """The contract's label.

        Raises:
            NotFoundError: its name is unknown.
        """
        if isinstance(given, Label | ClassLabel):
            return given
        if isinstance(given, Outcome):
            return given.record(self.catalogue)
        return given.label() if isinstance(given, Concept) else self.catalogue().label(given)


def several(given: str | Sequence[Any]) -> tuple[Any, ...]:
    """One name that stands alone is meant as a list of it, not of its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


class Files:
    """A model's graph and weights, as they are uploaded."""

    def __init__(self, graph: bytes, weights: bytes) -> None:
        self.blobs = (graph, weights)
        self.ref = ModelRef(graph=digest(graph), weights=digest(weights))


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
