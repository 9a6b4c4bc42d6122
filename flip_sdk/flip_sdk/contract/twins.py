"""A Trust's synthetic twin: noisy numbers that people of its shape can be made up from, debited before they were taken.

A twin is for writing and trying a job on data of the right shape. It is no data set to draw conclusions from.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from flip_sdk.contract.records import ConceptId, Delta, Epsilon, Finite, Record

BINS = 16
OLDEST = 96
"""Ages are told in 16 steps of six years; who is older is in the last one."""
MOST_COLUMNS = 120
Cells = Annotated[tuple[Annotated[int, Field(ge=-(2**53), le=2**53)], ...], Field(min_length=2, max_length=BINS + 1)]


class TwinColumn(Record):
    """How many persons are in which cell, noisy: a count may be below zero.

    Attributes:
        kind: ``measurement``: :data:`BINS` equally wide steps from ``low`` to ``high``, and those without a value;
            ``condition``: who does not have it, and who does; ``age``: steps up to :data:`OLDEST` years.
        concept_id: what is measured or diagnosed; None for ages.
    """

    kind: Literal["measurement", "condition", "age"]
    concept_id: ConceptId | None = None
    low: Finite = 0.0
    high: Finite = 1.0
    cells: Cells

    @model_validator(mode="after")
    def _fits(self) -> Self:
        cells = {"measurement": BINS + 1, "condition": 2, "age": BINS}[self.kind]
        if len(self.cells) != cells or not self.low < self.high or (self.concept_id is None) != (self.kind == "age"):
            raise ValueError(f"a column of kind {self.kind} has {cells} cells, a low below its high, and its concept")
        return self


class Twin(Record):
    """What a Trust published for making people up.

    Attributes:
        columns: measurements, conditions and the age.
        genders: noisy numbers of persons of each gender concept, and of all others last.
        gender_concepts: the concepts.
        products: noisy sums over persons of the products of every two columns, row by row from the diagonal on, of
            values standardised by the noisy columns (``mechanisms.twins``).
        noise: standard deviation of the noise in each of ``products``.
        epsilon: what all of it cost together, at ``delta``, had the ledger been empty.
    """

    columns: Annotated[tuple[TwinColumn, ...], Field(min_length=1, max_length=MOST_COLUMNS)]
    gender_concepts: Annotated[tuple[ConceptId, ...], Field(max_length=20)] = ()
    genders: Annotated[tuple[Annotated[int, Field(ge=-(2**53), le=2**53)], ...], Field(max_length=21)] = (0,)
    products: Annotated[tuple[Finite, ...], Field(max_length=MOST_COLUMNS * (MOST_COLUMNS + 1) // 2)]
    noise: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    epsilon: Epsilon
    delta: Delta

    @model_validator(mode="after")
    def _fits(self) -> Self:
        width = len(self.columns)
        if len(self.products) != width * (width + 1) // 2 or len(self.genders) != len(self.gender_concepts) + 1:
            raise ValueError("a twin has a product for every two columns, and a number for every gender and the others")
        return self
