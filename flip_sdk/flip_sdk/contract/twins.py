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


IMAGING = ("CT", "MR", "PT", "NM", "US", "DX", "CR", "MG", "XA", "RF")
"""Modalities whose images' geometry is told (DICOM PS3.3 C.7.3.1.1.1); a series of another one is as none."""
_SIZES = (32, 64, 96, 128, 160, 192, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048, 3072, 4096)
GRIDS: dict[str, tuple[float, ...]] = {
    "rows": _SIZES,
    "columns": _SIZES,
    "spacing": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6),
    "slices": (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024),
    "gap": (0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 15, 20),
}
"""By what is told of images: the public values that each is told as, the nearest one by ratio; lengths in mm."""


class TwinImages(Record):
    """How many persons have images of which geometry, noisy: of each person's longest series alone.

    Attributes:
        told: what of the geometry: ``rows`` and ``columns`` in pixels, ``spacing`` between pixels and ``gap`` between
            slices in mm, ``slices`` of the series.
        cells: for each of :data:`IMAGING` the numbers at the values of :data:`GRIDS` and then of those who have a
            series without one; last of all, who has no series.
    """

    told: Literal["rows", "columns", "spacing", "slices", "gap"]
    cells: Annotated[tuple[Annotated[int, Field(ge=-(2**53), le=2**53)], ...], Field(max_length=400)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.cells) != len(IMAGING) * (len(GRIDS[self.told]) + 1) + 1:
            raise ValueError(f"{self.told} has a cell for every modality and value, one without, and one for nobody")
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
        images: geometry of images, each of :data:`GRIDS` once and in its order; empty where the steward left it out.
        epsilon: what all of it cost together, at ``delta``, had the ledger been empty.
    """

    columns: Annotated[tuple[TwinColumn, ...], Field(min_length=1, max_length=MOST_COLUMNS)]
    gender_concepts: Annotated[tuple[ConceptId, ...], Field(max_length=20)] = ()
    genders: Annotated[tuple[Annotated[int, Field(ge=-(2**53), le=2**53)], ...], Field(max_length=21)] = (0,)
    products: Annotated[tuple[Finite, ...], Field(max_length=MOST_COLUMNS * (MOST_COLUMNS + 1) // 2)]
    noise: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    images: Annotated[tuple[TwinImages, ...], Field(max_length=len(GRIDS))] = ()
    epsilon: Epsilon
    delta: Delta

    @model_validator(mode="after")
    def _fits(self) -> Self:
        width = len(self.columns)
        if len(self.products) != width * (width + 1) // 2 or len(self.genders) != len(self.gender_concepts) + 1:
            raise ValueError("a twin has a product for every two columns, and a number for every gender and the others")
        if self.images and [part.told for part in self.images] != list(GRIDS):
            raise ValueError(f"a twin tells of images all of {', '.join(GRIDS)}, in this order, or nothing")
        return self
