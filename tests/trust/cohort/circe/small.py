"""Hand-made CDM tables of a few rows, and short ways to write cohort expressions."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
from flip_sdk.contract import check_circe
from flip_trust.cohort.circe import evaluate
from flip_trust.cohort.resident import Resident

NUMBERS = {"value_as_number", "range_low", "range_high", "quantity"}
WORDS = {"relationship_id", "invalid_reason"}
COLUMNS = {
    "person": "person_id year_of_birth gender_concept_id race_concept_id ethnicity_concept_id",
    "observation_period": "observation_period_id person_id observation_period_start_date observation_period_end_date"
    " period_type_concept_id",
    "condition_occurrence": "condition_occurrence_id person_id condition_concept_id condition_start_date"
    " condition_end_date condition_type_concept_id condition_status_concept_id condition_source_concept_id"
    " visit_occurrence_id",
    "drug_exposure": "drug_exposure_id person_id drug_concept_id drug_exposure_start_date drug_exposure_end_date"
    " drug_type_concept_id drug_source_concept_id route_concept_id refills quantity days_supply visit_occurrence_id",
    "measurement": "measurement_id person_id measurement_concept_id measurement_date measurement_type_concept_id"
    " measurement_source_concept_id operator_concept_id value_as_number value_as_concept_id unit_concept_id range_low"
    " range_high visit_occurrence_id",
    "observation": "observation_id person_id observation_concept_id observation_date observation_type_concept_id"
    " observation_source_concept_id value_as_number value_as_concept_id qualifier_concept_id unit_concept_id"
    " visit_occurrence_id",
    "procedure_occurrence": "procedure_occurrence_id person_id procedure_concept_id procedure_date"
    " procedure_type_concept_id procedure_source_concept_id modifier_concept_id quantity visit_occurrence_id",
    "visit_occurrence": "visit_occurrence_id person_id visit_concept_id visit_start_date visit_end_date"
    " visit_type_concept_id visit_source_concept_id",
    "death": "person_id death_date cause_concept_id death_type_concept_id cause_source_concept_id",
    "condition_era": "condition_era_id person_id condition_concept_id condition_era_start_date condition_era_end_date"
    " condition_occurrence_count",
    "drug_era": "drug_era_id person_id drug_concept_id drug_era_start_date drug_era_end_date drug_exposure_count"
    " gap_days",
    "image_occurrence": "image_occurrence_id person_id image_occurrence_date modality_concept_id"
    " anatomic_site_concept_id visit_occurrence_id",
    "concept_ancestor": "ancestor_concept_id descendant_concept_id",
    "concept_relationship": "concept_id_1 concept_id_2 relationship_id invalid_reason",
}
VOCABULARY = ("concept_ancestor", "concept_relationship")


def dtype(column):
    if column.endswith("_date"):
        return pl.Date
    return pl.Float64 if column in NUMBERS else pl.String if column in WORDS else pl.Int64


def write(world, home: Path) -> Resident:
    """Tables to Parquet, those without rows too."""
    for table, columns in COLUMNS.items():
        folder = home / ("vocabulary" if table in VOCABULARY else "omop")
        folder.mkdir(exist_ok=True)
        schema = {column: dtype(column) for column in columns.split()}
        pl.DataFrame(world.get(table, []), schema=schema).write_parquet(folder / f"{table}.parquet")
    return Resident(home / "omop", home / "vocabulary")


def on(text: str) -> date:
    return date.fromisoformat(text)


def person(number, born=1970, gender=8507, race=0, ethnicity=0):
    return {
        "person_id": number,
        "year_of_birth": born,
        "gender_concept_id": gender,
        "race_concept_id": race,
        "ethnicity_concept_id": ethnicity,
    }


def people(*rows, start="2000-01-01", end="2029-12-31"):
    """Persons, each observed for one long time."""
    return {
        "person": list(rows),
        "observation_period": [
            {
                "observation_period_id": row["person_id"],
                "person_id": row["person_id"],
                "observation_period_start_date": on(start),
                "observation_period_end_date": on(end),
                "period_type_concept_id": 1,
            }
            for row in rows
        ],
    }


def condition(who, concept, start, end=None, number=None, **more):
    given = {
        "condition_occurrence_id": number or hash((who, concept, start)) % 10**9,
        "person_id": who,
        "condition_concept_id": concept,
        "condition_start_date": on(start),
        "condition_end_date": on(end) if end else None,
    }
    return given | more


def concepts(*ids):
    return [{"CONCEPT_ID": concept} for concept in ids]


def concept_set(number, *ids, descendants=False, mapped=False, without=()):
    def item(concept, excluded):
        return {
            "concept": {"CONCEPT_ID": concept, "CONCEPT_NAME": f"concept {concept}"},
            "isExcluded": excluded,
            "includeDescendants": descendants,
            "includeMapped": mapped,
        }

    items = [item(concept, False) for concept in ids] + [item(concept, True) for concept in without]
    return {"id": number, "name": f"set {number}", "expression": {"items": items}}


def window(before=None, after=None, **more):
    """From ``before`` days before to ``after`` days after; None is all days. A negative number is on the other side."""

    def edge(number, sign):
        if number is None:
            return {"Coeff": sign}
        return {"Days": abs(number), "Coeff": sign if number >= 0 else -sign}

    return {"Start": edge(before, -1), "End": edge(after, 1), **more}


def correlated(criterion, start=None, end=None, kind=2, count=1, distinct=False, **more):
    times = {"Type": kind, "Count": count, "IsDistinct": distinct}
    found = {"Criteria": criterion, "StartWindow": start or window(), "Occurrence": times, **more}
    return found | ({"EndWindow": end} if end else {})


def group(*criteria, kind="ALL", demographics=(), groups=(), count=None):
    found = {
        "Type": kind,
        "CriteriaList": list(criteria),
        "DemographicCriteriaList": list(demographics),
        "Groups": list(groups),
    }
    return found if count is None else found | {"Count": count}


def rule(expression, name="rule"):
    return {"name": name, "expression": expression}


def cohort(*entries, sets=(), limit="All", prior=0, post=0, **more):
    return {
        "ConceptSets": list(sets),
        "PrimaryCriteria": {
            "CriteriaList": list(entries),
            "ObservationWindow": {"PriorDays": prior, "PostDays": post},
            "PrimaryCriteriaLimit": {"Type": limit},
        },
        "QualifiedLimit": {"Type": "All"},
        "ExpressionLimit": {"Type": "All"},
        "InclusionRules": [],
        **more,
    }


def rows(expression, resident) -> set:
    """``{(person_id, start, end)}`` with dates in ISO form."""
    found = evaluate(check_circe.read(expression), resident)
    dates = [column.astype("M8[D]").astype(str) for column in (found.start, found.end)]
    return set(zip(found.person_id.tolist(), dates[0].tolist(), dates[1].tolist(), strict=True))


def who(expression, resident) -> set[int]:
    return set(evaluate(check_circe.read(expression), resident).persons.tolist())
