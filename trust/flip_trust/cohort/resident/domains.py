"""OMOP CDM 5.4's tables of events as data: which columns say who, what, when, and what a criterion may ask of them.

``ends`` are the days from start to end where no end is recorded, after circe-be's criteria queries; None where the
table always has an end. Attributes are named as in CIRCE JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Domain:
    """Where the events of one kind of criterion are.

    Attributes:
        table: the Parquet file's name.
        key: the column that numbers the events; empty where the table has none.
        concept: the column that a concept set is about; empty where there is none.
        start, end: its dates; an empty ``end`` is never recorded.
        ends: days from start to end where the end is missing.
        source: the source concept's column, and the attribute that names its concept set.
        concepts: attribute → column, for lists of concepts.
        numbers: attribute → column, for ranges of numbers.
        supply: column of days that stand for a missing end, before ``ends``.
    """

    table: str
    key: str
    concept: str
    start: str
    end: str = ""
    ends: int = 1
    source: tuple[str, str] = ("", "")
    concepts: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    supply: str = ""
    visits: bool = True


DOMAINS: Final[Mapping[str, Domain]] = MappingProxyType(
    {
        "ConditionOccurrence": Domain(
            "condition_occurrence",
            "condition_occurrence_id",
            "condition_concept_id",
            "condition_start_date",
            "condition_end_date",
            source=("ConditionSourceConcept", "condition_source_concept_id"),
            concepts={"ConditionType": "condition_type_concept_id", "ConditionStatus": "condition_status_concept_id"},
        ),
        "DrugExposure": Domain(
            "drug_exposure",
            "drug_exposure_id",
            "drug_concept_id",
            "drug_exposure_start_date",
            "drug_exposure_end_date",
            source=("DrugSourceConcept", "drug_source_concept_id"),
            concepts={"DrugType": "drug_type_concept_id", "RouteConcept": "route_concept_id"},
            numbers={"Refills": "refills", "Quantity": "quantity", "DaysSupply": "days_supply"},
            supply="days_supply",
        ),
        "Measurement": Domain(
            "measurement",
            "measurement_id",
            "measurement_concept_id",
            "measurement_date",
            source=("MeasurementSourceConcept", "measurement_source_concept_id"),
            concepts={
                "MeasurementType": "measurement_type_concept_id",
                "Operator": "operator_concept_id",
                "ValueAsConcept": "value_as_concept_id",
                "Unit": "unit_concept_id",
            },
            numbers={"ValueAsNumber": "value_as_number", "RangeLow": "range_low", "RangeHigh": "range_high"},
        ),
        "Observation": Domain(
            "observation",
            "observation_id",
            "observation_concept_id",
            "observation_date",
            source=("ObservationSourceConcept", "observation_source_concept_id"),
            concepts={
                "ObservationType": "observation_type_concept_id",
                "ValueAsConcept": "value_as_concept_id",
                "Qualifier": "qualifier_concept_id",
                "Unit": "unit_concept_id",
            },
            numbers={"ValueAsNumber": "value_as_number"},
        ),
        "ProcedureOccurrence": Domain(
            "procedure_occurrence",
            "procedure_occurrence_id",
            "procedure_concept_id",
            "procedure_date",
            source=("ProcedureSourceConcept", "procedure_source_concept_id"),
            concepts={"ProcedureType": "procedure_type_concept_id", "Modifier": "modifier_concept_id"},
            numbers={"Quantity": "quantity"},
        ),
        "VisitOccurrence": Domain(
            "visit_occurrence",
            "visit_occurrence_id",
            "visit_concept_id",
            "visit_start_date",
            "visit_end_date",
            ends=0,
            source=("VisitSourceConcept", "visit_source_concept_id"),
            concepts={"VisitType": "visit_type_concept_id"},
        ),
        "Death": Domain(
            "death",
            "",
            "cause_concept_id",
            "death_date",
            source=("DeathSourceConcept", "cause_source_concept_id"),
            concepts={"DeathType": "death_type_concept_id"},
            visits=False,
        ),
        "ObservationPeriod": Domain(
            "observation_period",
            "observation_period_id",
            "period_type_concept_id",
            "observation_period_start_date",
            "observation_period_end_date",
            ends=0,
            concepts={"PeriodType": "period_type_concept_id"},
            visits=False,
        ),
        "ConditionEra": Domain(
            "condition_era",
            "condition_era_id",
            "condition_concept_id",
            "condition_era_start_date",
            "condition_era_end_date",
            ends=0,
            numbers={"OccurrenceCount": "condition_occurrence_count"},
            visits=False,
        ),
        "DrugEra": Domain(
            "drug_era",
            "drug_era_id",
            "drug_concept_id",
            "drug_era_start_date",
            "drug_era_end_date",
            ends=0,
            numbers={"OccurrenceCount": "drug_exposure_count", "GapDays": "gap_days"},
            visits=False,
        ),
        "ImageOccurrence": Domain(
            "image_occurrence",
            "image_occurrence_id",
            "modality_concept_id",
            "image_occurrence_date",
            concepts={"Modality": "modality_concept_id", "AnatomicSite": "anatomic_site_concept_id"},
        ),
    }
)
