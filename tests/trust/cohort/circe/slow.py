"""Cohort expressions answered row by row, in plain Python: slow, and written without a look at the fast evaluator.

It follows circe-be's SQL templates stage by stage. ``world`` is a dictionary of table name → list of rows (dicts).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

TABLES = {
    "ConditionOccurrence": ("condition_occurrence", "condition", "condition_start_date", "condition_end_date"),
    "DrugExposure": ("drug_exposure", "drug", "drug_exposure_start_date", "drug_exposure_end_date"),
    "Measurement": ("measurement", "measurement", "measurement_date", None),
    "Observation": ("observation", "observation", "observation_date", None),
    "ProcedureOccurrence": ("procedure_occurrence", "procedure", "procedure_date", None),
    "VisitOccurrence": ("visit_occurrence", "visit", "visit_start_date", "visit_end_date"),
    "Death": ("death", "cause", "death_date", None),
    "ObservationPeriod": (
        "observation_period",
        None,
        "observation_period_start_date",
        "observation_period_end_date",
    ),
    "ConditionEra": ("condition_era", "condition", "condition_era_start_date", "condition_era_end_date"),
    "DrugEra": ("drug_era", "drug", "drug_era_start_date", "drug_era_end_date"),
    "ImageOccurrence": ("image_occurrence", None, "image_occurrence_date", None),
}
COLUMNS = {
    "ConditionType": "condition_type_concept_id",
    "ConditionStatus": "condition_status_concept_id",
    "DrugType": "drug_type_concept_id",
    "RouteConcept": "route_concept_id",
    "MeasurementType": "measurement_type_concept_id",
    "ObservationType": "observation_type_concept_id",
    "ProcedureType": "procedure_type_concept_id",
    "DeathType": "death_type_concept_id",
    "PeriodType": "period_type_concept_id",
    "Operator": "operator_concept_id",
    "ValueAsConcept": "value_as_concept_id",
    "Unit": "unit_concept_id",
    "Qualifier": "qualifier_concept_id",
    "Modifier": "modifier_concept_id",
    "AnatomicSite": "anatomic_site_concept_id",
    "Refills": "refills",
    "Quantity": "quantity",
    "DaysSupply": "days_supply",
    "ValueAsNumber": "value_as_number",
    "RangeLow": "range_low",
    "RangeHigh": "range_high",
    "GapDays": "gap_days",
}


def days(number):
    return timedelta(days=number)


def compare(value, asked):
    if value is None:
        return False
    a, b = asked.Value, asked.Extent
    return {
        "lt": lambda: value < a,
        "lte": lambda: value <= a,
        "eq": lambda: value == a,
        "!eq": lambda: value != a,
        "gt": lambda: value > a,
        "gte": lambda: value >= a,
        "bt": lambda: a <= value <= b,
        "!bt": lambda: not a <= value <= b,
    }[asked.Op]()


class Slow:
    def __init__(self, expression, world):
        self.expression, self.world = expression, world
        self.people = {row["person_id"]: row for row in world["person"]}
        self.sets = {given.id: self.members(given) for given in expression.ConceptSets}

    # concept sets

    def members(self, concept_set):
        def meant(item):
            found = {item.concept.CONCEPT_ID}
            if item.includeDescendants:
                found |= {
                    row["descendant_concept_id"]
                    for row in self.world["concept_ancestor"]
                    if row["ancestor_concept_id"] == item.concept.CONCEPT_ID
                }
            if item.includeMapped:
                found |= {
                    row["concept_id_1"]
                    for row in self.world["concept_relationship"]
                    if row["relationship_id"] == "Maps to" and row["concept_id_2"] in found
                }
            return found

        included, excluded = set(), set()
        for item in concept_set.expression.items:
            (excluded if item.isExcluded else included).update(meant(item))
        return included - excluded

    # events

    def events(self, criterion):  # noqa: PLR0912
        ((name, asked),) = criterion.named()
        table, prefix, start, end = TABLES[name]
        rows = [dict(row) for row in self.world.get(table, []) if row["person_id"] in self.people]
        concept = f"{prefix}_concept_id" if prefix else None
        if name == "ImageOccurrence":
            concept = "modality_concept_id"
            if asked.Modality:
                rows = [row for row in rows if row[concept] in {c.CONCEPT_ID for c in asked.Modality}]
        if name == "ObservationPeriod":
            concept = "period_type_concept_id"
        if getattr(asked, "CodesetId", None) is not None:
            rows = [row for row in rows if row[concept] in self.sets[asked.CodesetId]]
        for field in type(asked).model_fields:
            if field.endswith("SourceConcept") and getattr(asked, field) is not None:
                column = f"{prefix}_source_concept_id"
                rows = [row for row in rows if row.get(column) in self.sets[getattr(asked, field)]]
        for number, row in enumerate(rows):
            row["id"] = row.get(f"{table}_id", number)
            row["start"] = row[start]
            row["end"] = row.get(end) if end else None
            if row["end"] is None and row.get("days_supply") is not None and name == "DrugExposure":
                row["end"] = row["start"] + days(row["days_supply"])
            if row["end"] is None:
                row["end"] = row["start"] + days(1)
            row["concept"] = row[concept] or 0
            row["visit"] = row.get("visit_occurrence_id") if name != "Death" else None
        if getattr(asked, "First", None):
            firsts = {}
            for row in sorted(rows, key=lambda row: (row["start"], row["id"])):
                firsts.setdefault(row["person_id"], row)
            rows = list(firsts.values())
        period = getattr(asked, "UserDefinedPeriod", None)
        if period:
            for edge in filter(None, (period.StartDate, period.EndDate)):
                rows = [row for row in rows if row["start"] <= edge <= row["end"]]
            for row in rows:
                row["start"], row["end"] = period.StartDate or row["start"], period.EndDate or row["end"]
        rows = [row for row in rows if self.fits(name, row, asked)]
        group = asked.CorrelatedCriteria
        if group is not None and (group.CriteriaList or group.DemographicCriteriaList or group.Groups):
            rows = [row for row in rows if any(self.holds(group, index) for index in self.observed(row))]
        return rows

    def fits(self, name, row, asked):  # noqa: PLR0912
        person = self.people[row["person_id"]]
        for field in type(asked).model_fields:
            value = getattr(asked, field)
            if not value or field in {"CodesetId", "First", "CorrelatedCriteria", "UserDefinedPeriod", "Modality"}:
                continue
            if field.endswith(("Exclude", "SourceConcept")):
                continue
            if field == "Gender":
                good = person["gender_concept_id"] in {c.CONCEPT_ID for c in value}
            elif field in {"Age", "AgeAtStart"}:
                good = compare(row["start"].year - person["year_of_birth"], value)
            elif field == "AgeAtEnd":
                good = compare(row["end"].year - person["year_of_birth"], value)
            elif field.endswith("StartDate"):
                good = compare(row["start"], value)
            elif field.endswith("EndDate"):
                good = compare(row["end"], value)
            elif field.endswith("Length"):
                good = compare((row["end"] - row["start"]).days, value)
            elif field == "VisitType" and name == "VisitOccurrence":
                good = row.get("visit_type_concept_id") in {c.CONCEPT_ID for c in value}
            elif field == "VisitType":
                good = any(
                    visit["visit_occurrence_id"] == row["visit"]
                    and visit["person_id"] == row["person_id"]
                    and visit["visit_concept_id"] in {c.CONCEPT_ID for c in value}
                    for visit in self.world["visit_occurrence"]
                )
            elif field in {"RangeLowRatio", "RangeHighRatio"}:
                edge = row.get("range_low" if "Low" in field else "range_high")
                ratio = None if not edge or row["value_as_number"] is None else row["value_as_number"] / edge
                good = compare(ratio, value)
            elif field == "OccurrenceCount":
                column = "drug_exposure_count" if name == "DrugEra" else "condition_occurrence_count"
                good = compare(row[column], value)
            elif isinstance(value, tuple):
                good = row.get(COLUMNS[field]) in {c.CONCEPT_ID for c in value}
            else:
                good = compare(row.get(COLUMNS[field]), value)
            if good == bool(getattr(asked, f"{field}Exclude", False)):
                return False
        return True

    def observed(self, row):
        for period in self.world["observation_period"]:
            begin, finish = period["observation_period_start_date"], period["observation_period_end_date"]
            if period["person_id"] == row["person_id"] and begin <= row["start"] <= finish:
                yield {**row, "op_start": begin, "op_end": finish}

    # groups

    def holds(self, group, index):
        found = [self.demographic(asked, index) for asked in group.DemographicCriteriaList]
        found += [self.correlated(asked, index) for asked in group.CriteriaList]
        found += [self.holds(inner, index) for inner in group.Groups]
        if not found:
            return True
        match group.Type:
            case "ALL":
                return all(found)
            case "ANY":
                return any(found)
            case "AT_LEAST":
                return sum(found) >= group.Count
            case "AT_MOST":
                return sum(found) <= group.Count

    def demographic(self, asked, index):
        person = self.people[index["person_id"]]
        checks = [
            not asked.Age or compare(index["start"].year - person["year_of_birth"], asked.Age),
            not asked.OccurrenceStartDate or compare(index["start"], asked.OccurrenceStartDate),
            not asked.OccurrenceEndDate or compare(index["end"], asked.OccurrenceEndDate),
        ]
        for field in ("Gender", "Race", "Ethnicity"):
            if value := getattr(asked, field):
                checks.append(person[f"{field.lower()}_concept_id"] in {c.CONCEPT_ID for c in value})
        return all(checks)

    def correlated(self, asked, index):
        near = [row for row in self.events(asked.Criteria) if self.near(asked, index, row)]
        if asked.Occurrence.IsDistinct:
            value = "start" if asked.Occurrence.CountColumn == "START_DATE" else "concept"
            number = len({row[value] for row in near})
        else:
            number = len(near)
        count = asked.Occurrence.Count
        return {0: number == count, 1: number <= count, 2: number >= count}[asked.Occurrence.Type]

    def near(self, asked, index, row):
        if row["person_id"] != index["person_id"]:
            return False
        observing = not asked.IgnoreObservationPeriod
        if observing and not index["op_start"] <= row["start"] <= index["op_end"]:
            return False
        windows = [(asked.StartWindow, bool(asked.StartWindow.UseEventEnd))]
        if asked.EndWindow:
            windows.append((asked.EndWindow, asked.EndWindow.UseEventEnd in {None, True}))
        for window, about_end in windows:
            zero = index["end" if window.UseIndexEnd else "start"]
            at = row["end" if about_end else "start"]
            for edge, below in ((window.Start, True), (window.End, False)):
                if edge.Days is not None:
                    limit = zero + days(edge.Coeff * edge.Days)
                elif observing:
                    limit = index["op_start" if edge.Coeff == -1 else "op_end"]
                else:
                    continue
                if (at < limit) if below else (at > limit):
                    return False
        return not asked.RestrictVisit or (index["visit"] is not None and index["visit"] == row["visit"])

    # the whole

    def limited(self, indexes, limit):
        people = defaultdict(list)
        for index in indexes:
            people[index["person_id"]].append(index)
        found = []
        for own in people.values():
            match limit.Type:
                case "ALL":
                    found += own
                case "FIRST":
                    found.append(min(own, key=lambda index: (index["start"], index["id"])))
                case "LAST":
                    last = max(index["start"] for index in own)
                    found.append(min((index for index in own if index["start"] == last), key=lambda index: index["id"]))
        return found

    def members_of_cohort(self):
        """``{(person_id, start, end)}``."""
        asked = self.expression
        entry = asked.PrimaryCriteria
        window = entry.ObservationWindow
        indexes = [
            index
            for criterion in entry.CriteriaList
            for row in self.events(criterion)
            for index in self.observed(row)
            if index["op_start"] + days(window.PriorDays) <= index["start"]
            and index["start"] + days(window.PostDays) <= index["op_end"]
        ]
        indexes = self.limited(indexes, entry.PrimaryCriteriaLimit)
        if asked.AdditionalCriteria is not None:
            indexes = [index for index in indexes if self.holds(asked.AdditionalCriteria, index)]
            indexes = self.limited(indexes, asked.QualifiedLimit)
        for rule in asked.InclusionRules:
            indexes = [index for index in indexes if self.holds(rule.expression, index)]
        indexes = self.limited(indexes, asked.ExpressionLimit)
        times = defaultdict(list)
        for index in indexes:
            ends = [end for end in self.possible_ends(index) if end >= index["start"]]
            if ends:
                times[index["person_id"]].append((index["start"], min(ends)))
        return {
            (person, *clipped)
            for person, own in times.items()
            for period in self.collapsed(own)
            if (clipped := self.clipped(*period))
        }

    def possible_ends(self, index):
        strategy = self.expression.EndStrategy
        if strategy is None:
            yield index["op_end"]
        else:
            zero = index["start" if strategy.DateOffset.DateField == "StartDate" else "end"]
            yield min(index["op_end"], zero + days(strategy.DateOffset.Offset))
        for criterion in self.expression.CensoringCriteria:
            for row in self.events(criterion):
                same = row["person_id"] == index["person_id"]
                if same and index["start"] <= row["start"] <= index["op_end"]:
                    yield row["start"]

    def collapsed(self, times):
        pad = days(self.expression.CollapseSettings.EraPad)
        eras = []
        for start, end in sorted(times):
            if eras and eras[-1][1] + pad >= start:
                eras[-1][1] = max(eras[-1][1], end)
            else:
                eras.append([start, end])
        return eras

    def clipped(self, start, end):
        window = self.expression.CensorWindow
        if window is not None:
            start = max(start, window.StartDate or date.min)
            end = min(end, window.EndDate or date.max)
        return (start, end) if start <= end else None
