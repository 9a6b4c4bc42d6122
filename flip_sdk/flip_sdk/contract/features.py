"""What a model is told of a person, and what it learns to tell: numbers out of OMOP CDM 5.4, without foreign code.

Every number has public bounds and is clamped to them, which bounds one person's influence. Records are looked for in a
window of days around the person's index date (``TrainSpec.index``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, SerializerFunctionWrapHandler, Tag, model_serializer, model_validator

from flip_sdk.contract.records import ConceptId, Finite, Line, Record

Day = Annotated[int, Field(ge=-36_500, le=36_500)]
Concepts = Annotated[tuple[ConceptId, ...], Field(min_length=1, max_length=200)]
Index = Literal["now", "entry", "image"]
"""What a person's index date is: the day on which the job's cohort is frozen; the day on which the person first enters
the cohort's expression; or the day of the image, of each image for itself."""
EventDomain = Literal["condition", "drug", "procedure", "observation", "visit"]
Statistic = Literal["latest", "first", "mean", "minimum", "maximum", "count"]


class Window(Record):
    """Days around the index date, both included; negative is before it.

    Attributes:
        start: None: as far back as there are records.
        end: None: as far on as there are records.
    """

    start: Day | None = None
    end: Day | None = 0

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError("a window starts before it ends")
        return self


class _Sparse(Record):
    """A record whose later fields are left out while they are as they always were: its digest stays what it was."""

    @model_serializer(mode="wrap")
    def _without_presets(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        for name in ("kind", "statistic", "window"):
            field = type(self).model_fields.get(name)
            if field is not None and self._is_first_kind() and getattr(self, name) == field.default:
                found.pop(name, None)
        return found

    def _is_first_kind(self) -> bool:
        return False


class Feature(_Sparse):
    """One number out of the ``measurement.value_as_number`` of a concept, clamped to public bounds.

    The bounds are public knowledge (a reference range, a device's range) or were estimated under differential privacy,
    never read off the patients: clamping to them is what bounds one person's influence.

    Attributes:
        statistic: which number of those in the window; ``count`` is how many there are, and 0 where there is none.
        window: days around the index date; None: all that is recorded.
    """

    kind: Literal["measurement"] = "measurement"
    concept_id: ConceptId
    low: Finite
    high: Finite
    name: Line = ""
    statistic: Statistic = "latest"
    window: Window | None = None

    def _is_first_kind(self) -> bool:
        return True


class AgeFeature(Record):
    """Age in years at the index date, by the day of birth as far as it is recorded."""

    kind: Literal["age"] = "age"
    low: Finite = 0.0
    high: Finite = 100.0
    name: Line = "age"


class SexFeature(Record):
    """1 for persons whose ``gender_concept_id`` is this, else 0."""

    kind: Literal["sex"] = "sex"
    concept_id: ConceptId
    name: Line = ""

    @property
    def low(self) -> float:
        """0."""
        return 0.0

    @property
    def high(self) -> float:
        """1."""
        return 1.0


class EventFeature(Record):
    """Whether one of these concepts is recorded in the window, or on how many days.

    Attributes:
        domain: of the table: ``condition_occurrence``, ``drug_exposure``, ``procedure_occurrence``, ``observation`` or
            ``visit_occurrence``, by the date on which the event started.
        statistic: ``any``: 1 or 0; ``days``: the number of different days with one.
        most: for ``days``, more than this counts as this.
        window: days around the index date; None: all that is recorded.
    """

    kind: Literal["event"] = "event"
    domain: EventDomain
    concept_ids: Concepts
    statistic: Literal["any", "days"] = "any"
    most: Annotated[int, Field(ge=1, le=10_000)] = 1
    name: Line = ""
    window: Window | None = None

    @property
    def low(self) -> float:
        """0."""
        return 0.0

    @property
    def high(self) -> float:
        """1, or ``most``."""
        return 1.0 if self.statistic == "any" else float(self.most)


def _kind_of(value: Any) -> str:
    """A feature without a kind is a measurement, a label without one a condition: so they were written first."""
    found = value.get("kind", "") if isinstance(value, dict) else getattr(value, "kind", "")
    return str(found)


AnyFeature = Annotated[
    Annotated[Feature, Tag("measurement")]
    | Annotated[AgeFeature, Tag("age")]
    | Annotated[SexFeature, Tag("sex")]
    | Annotated[EventFeature, Tag("event")],
    Discriminator(lambda value: _kind_of(value) or "measurement"),
]


class Label(_Sparse):
    """1 for persons with a ``condition_occurrence`` of one of these concepts, else 0.

    Attributes:
        window: days around the index date; None: ever. With ``Window(start=1, end=365)`` it is an outcome.
    """

    kind: Literal["condition"] = "condition"
    condition_concept_ids: Concepts
    name: Line = ""
    window: Window | None = None

    @property
    def classes(self) -> int:
        """2."""
        return 2

    @property
    def class_names(self) -> tuple[str, ...]:
        """What label 0 and label 1 mean."""
        return f"no {self.name}" if self.name else "no", self.name or "yes"

    def _is_first_kind(self) -> bool:
        return True


class LabelClass(Record):
    """One class of several."""

    condition_concept_ids: Concepts
    name: Line = ""


class ClassLabel(Record):
    """Which of several conditions a person has: 1 for the first of the classes that holds, 2 …; 0 for none of them.

    Attributes:
        window: days around the index date; None: ever.
    """

    kind: Literal["classes"] = "classes"
    among: Annotated[tuple[LabelClass, ...], Field(min_length=2, max_length=50)]
    otherwise: Line = "none of them"
    name: Line = ""
    window: Window | None = None

    @property
    def condition_concept_ids(self) -> tuple[int, ...]:
        """Of all classes."""
        return tuple(concept_id for one in self.among for concept_id in one.condition_concept_ids)

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return len(self.among) + 1

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each label means, from 0 on."""
        return self.otherwise, *(one.name for one in self.among)


AnyLabel = Annotated[
    Annotated[Label, Tag("condition")] | Annotated[ClassLabel, Tag("classes")],
    Discriminator(lambda value: _kind_of(value) or "condition"),
]
