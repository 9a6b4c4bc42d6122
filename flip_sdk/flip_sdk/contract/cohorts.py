"""Who a job is about: cohort criteria over OMOP CDM 5.4, without any code from outside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from flip_sdk.contract.circe import CohortExpression
from flip_sdk.contract.records import ConceptId, Finite, Record

Years = Annotated[int, Field(ge=0, le=150)]


class AgeBetween(Record):
    """Age in whole years at the cohort's freezing (year_of_birth), ``low`` to ``high`` inclusive."""

    kind: Literal["age"] = "age"
    low: Years = 0
    high: Years = 150
    negate: bool = False


class SexIs(Record):
    """``person.gender_concept_id`` is one of these."""

    kind: Literal["sex"] = "sex"
    concept_ids: Annotated[tuple[ConceptId, ...], Field(min_length=1, max_length=10)]
    negate: bool = False


class HasCondition(Record):
    """At least one ``condition_occurrence`` of one of these concepts."""

    kind: Literal["condition"] = "condition"
    concept_ids: Annotated[tuple[ConceptId, ...], Field(min_length=1, max_length=200)]
    negate: bool = False


class MeasurementBetween(Record):
    """The latest ``measurement`` of this concept lies in ``[low, high]``."""

    kind: Literal["measurement"] = "measurement"
    concept_id: ConceptId
    low: Finite
    high: Finite
    negate: bool = False


Criterion = Annotated[AgeBetween | SexIs | HasCondition | MeasurementBetween, Field(discriminator="kind")]


class Cohort(Record):
    """Persons for whom every criterion holds. No criteria: every person of the Trust's data set.

    With an ``expression``, only its members; the criteria hold as well.
    """

    criteria: Annotated[tuple[Criterion, ...], Field(max_length=50)] = ()
    expression: CohortExpression | None = None

    @model_serializer(mode="wrap")
    def _same_as_without(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A cohort without an expression has the digest that it had before there were any."""
        found: dict[str, Any] = handler(self)
        if self.expression is None:
            found.pop("expression", None)
        return found
