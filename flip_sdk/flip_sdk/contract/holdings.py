"""What a Trust's catalogue says it holds: noisy numbers of persons, debited before they were taken.

By concept, by what images there are, by calendar year; how fresh each table is, and how its records fare in checks.
What may be counted is declared here and in the catalogue's own concepts: no list is made after what patients have.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from flip_sdk.contract.records import ConceptId, Delta, Epsilon, Line, Record

HeldTable = Literal[
    "condition_occurrence",
    "measurement",
    "drug_exposure",
    "procedure_occurrence",
    "observation",
    "visit_occurrence",
    "image_occurrence",
]
TABLES: tuple[HeldTable, ...] = get_args(HeldTable)
Category = Literal["completeness", "plausibility", "conformance"]
MODALITIES = (
    "BI", "CR", "CT", "DX", "ECG", "ES", "EPS", "GM", "IVOCT", "IVUS", "IO", "MG", "MR", "NM", "OP", "OPT", "OT", "PT",
    "PX", "REG", "RF", "RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "SC", "SEG", "SM", "SR", "US", "XA", "XC",
)  # fmt: skip
"""Those that are counted: DICOM PS3.3 C.7.3.1.1.1. Others are in no number."""
BODY_PARTS = (
    "ABDOMEN", "ANKLE", "AORTA", "ARM", "BLADDER", "BRAIN", "BREAST", "CAROTID", "CERVIX", "CHEST", "CSPINE", "ELBOW",
    "EXTREMITY", "EYE", "FOOT", "HAND", "HEAD", "HEADNECK", "HEART", "HIP", "JAW", "KIDNEY", "KNEE", "LEG", "LIVER",
    "LSPINE", "LUNG", "NECK", "OVARY", "PANCREAS", "PELVIS", "PROSTATE", "SHOULDER", "SKIN", "SKULL", "SPINE", "SSPINE",
    "STOMACH", "THYROID", "TSPINE", "UTERUS", "WHOLEBODY", "WRIST",
)  # fmt: skip
"""Those that are counted: of the defined terms of Body Part Examined, DICOM PS3.16 annex L. A header's own words are
free text; what is not in this list leaves no Trust."""
YEARS = 30
"""Calendar years that are counted, up to the one in which the catalogue is made."""
MONTHS = 24
"""Months back that freshness is told for."""
Persons = Annotated[int, Field(ge=0, le=2**53)]
Percent = Annotated[float, Field(ge=0, le=100)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Code = Annotated[str, Field(pattern=r"^[A-Z]{2,16}$")]
Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ConceptHolding(Record):
    """Persons with a record of a concept of the catalogue."""

    concept_id: ConceptId
    persons: Persons


class ImagingHolding(Record):
    """Persons with a series of a modality; of one body part, or of any where it is empty."""

    modality: Code
    body_part: Code | Literal[""] = ""
    persons: Persons


class YearHolding(Record):
    """Persons with a record of a table in a calendar year."""

    table: HeldTable
    year: Annotated[int, Field(ge=1900, le=9999)]
    persons: Persons


class TableHolding(Record):
    """Persons with a record of a table at all, and how fresh it is.

    Attributes:
        latest: the month since which a number of persons over the floor have had a record; None where it is not within
            :data:`MONTHS` or not to be told from the noise.
        recent: persons with a record in the last twelve months, this one included.
    """

    table: HeldTable
    persons: Persons
    latest: Month | None = None
    recent: Persons | None = None


class QualityHolding(Record):
    """How a table's records fare in a check: the average, over persons, of the share of their rows that fail it.

    Attributes:
        table: one of :data:`TABLES`, or ``person``.
        check: in words, out of a public list.
        percent: of rows that fail, noisy.
        within: of ``percent``, what the noise may have made of it; more, once in 2,000 times.
        allowed: percent that may fail.
    """

    category: Category
    table: HeldTable | Literal["person"]
    check: Line
    percent: Percent
    within: Percent
    allowed: Percent

    @property
    def passed(self) -> bool:
        """Whether no more fail than may, as far as the noise lets it be told."""
        return self.percent <= self.allowed + self.within


class HoldingsNoise(Record):
    """Standard deviations of the noise, in persons."""

    concepts: Deviation
    imaging: Deviation
    years: Deviation
    tables: Deviation


class Holdings(Record):
    """Numbers of persons: noisy, rounded, and only those over the floor. None is about a person who opted out.

    Attributes:
        floor: the fewest persons that a number may be about.
        rounding: every number is a multiple of it.
        epsilon: what all of it cost together, at ``delta``, had the ledger been empty.
    """

    concepts: Annotated[tuple[ConceptHolding, ...], Field(max_length=100_000)] = ()
    imaging: Annotated[tuple[ImagingHolding, ...], Field(max_length=2000)] = ()
    years: Annotated[tuple[YearHolding, ...], Field(max_length=1000)] = ()
    tables: Annotated[tuple[TableHolding, ...], Field(max_length=20)] = ()
    quality: Annotated[tuple[QualityHolding, ...], Field(max_length=500)] = ()
    noise: HoldingsNoise
    floor: Annotated[int, Field(ge=1)]
    rounding: Annotated[int, Field(ge=1)]
    epsilon: Epsilon
    delta: Delta
