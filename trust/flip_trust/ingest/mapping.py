"""Events to OMOP rows: codes through the Trust's vocabulary, each row into the table that its domain names.

After HL7's FHIR-to-OMOP guide 1.0.0: the first coding with a standard concept counts; it may map to several concepts,
which are rows of their own; a code that maps to none is concept 0 and keeps its source value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from flip_trust.ingest import store
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.events import EHR, MOST_TARGETS, Code, Event
from flip_trust.ingest.report import MappingReport
from flip_trust.ingest.vocabulary import Vocabulary

SOURCE_VALUE_CHARACTERS = 50
_DOMAINS = {
    "Condition": "condition_occurrence",
    "Drug": "drug_exposure",
    "Procedure": "procedure_occurrence",
    "Measurement": "measurement",
    "Observation": "observation",
    "Device": "device_exposure",
}
EVENT_TABLES = tuple(_DOMAINS.values())
_CODES = {"key": pl.Int64(), "rank": pl.Int64(), "vocabulary_id": pl.String(), "code": pl.String()}
_EVENTS = {
    "key": pl.Int64(),
    "default": pl.String(),
    "person_id": pl.Int64(),
    "source_value": pl.String(),
    "start_date": pl.Date(),
    "start_datetime": pl.Datetime("us"),
    "end_date": pl.Date(),
    "end_datetime": pl.Datetime("us"),
    "visit_occurrence_id": pl.Int64(),
}


def place(home: Path, events: Sequence[Event], withdrawn: Iterable[int], report: MappingReport) -> None:
    """Map events and merge them into the OMOP tables; doing it again changes nothing.

    Rows that the same events had before, under another concept or in another table, are removed.

    Args:
        home: the Trust's home.
        events: the later of two with one key counts.
        withdrawn: keys of events that their source took back.
        report: is told what was mapped, loaded and removed.
    """
    gone = set(withdrawn)
    latest = {event.key: event for event in events if event.key not in gone}
    tables = to_tables(list(latest.values()), Vocabulary(home), report)
    with store.writing(home / "omop"):
        for name in EVENT_TABLES:
            rows = tables.get(name)
            removed = _retract(home / "omop", name, [*latest, *gone], rows)
            report.withdrawn += removed
            if rows is not None:
                report.loaded[name] += store.merge(home / "omop", definition(name), rows)


def to_tables(events: Sequence[Event], vocabulary: Vocabulary, report: MappingReport) -> dict[str, pl.DataFrame]:
    """The rows of each table."""
    if not events:
        return {}
    concepts = _resolved([(e.key, e.codes) for e in events], vocabulary, report)
    values = _first(_resolved([(e.key, e.value_codes) for e in events], vocabulary, report), "value_as_concept_id")
    units = [(e.key, (e.unit,) if e.unit else ()) for e in events]
    unit_ids = _first(_resolved(units, vocabulary, report), "unit_concept_id")
    frame = pl.DataFrame([_row(event) for event in events], schema=_EVENTS, orient="row")
    extra = pl.DataFrame([{"key": e.key, **e.values} for e in events], infer_schema_length=None)
    frame = frame.join(extra, on="key", maintain_order="left")
    for told in (values, unit_ids, concepts):
        frame = frame.join(told, on="key", how="left", maintain_order="left")
    rows = frame.with_columns(
        pl.col("concept_id").fill_null(0),
        pl.col("source_concept_id").fill_null(0),
        (pl.col("key") + pl.col("target").fill_null(0)).alias("id"),
        pl.col("domain_id").replace_strict(_DOMAINS, default=None).fill_null(pl.col("default")).alias("table"),
    )
    return {str(name): _shaped(str(name), part) for (name,), part in rows.partition_by("table", as_dict=True).items()}


def concepts_of(codes: Iterable[Code], vocabulary: Vocabulary, report: MappingReport) -> dict[Code, int]:
    """The first standard concept of each code that has one."""
    wanted = list(dict.fromkeys(codes))
    found = _first(_resolved([(n, (code,)) for n, code in enumerate(wanted)], vocabulary, report), "concept")
    return {wanted[n]: concept for n, concept in found.iter_rows()}


def _resolved(
    coded: Sequence[tuple[int, Sequence[Code]]], vocabulary: Vocabulary, report: MappingReport
) -> pl.DataFrame:
    """``key``, ``target`` (0, 1 …) and the concepts of the first code that maps to any."""
    rows = [(key, rank, c.vocabulary_id, c.code) for key, codes in coded for rank, c in enumerate(codes)]
    codes = pl.DataFrame(rows, schema=_CODES, orient="row")
    known = vocabulary.resolve(codes.select("vocabulary_id", "code").unique())
    found = codes.join(known, on=["vocabulary_id", "code"], how="inner")
    best = found.filter(pl.col("rank") == pl.col("rank").min().over("key")).sort("key", "concept_id")
    best = best.with_columns((pl.col("concept_id").cum_count().over("key").cast(pl.Int64) - 1).alias("target"))
    report.mapped += best["key"].n_unique()
    lost = codes.join(best, on="key", how="anti").filter(pl.col("rank") == 0)
    for system, code, uses in lost.group_by("vocabulary_id", "code").len().iter_rows():
        report.unmapped[system, code] += uses
    columns = ("key", "target", "source_concept_id", "concept_id", "domain_id")
    return best.filter(pl.col("target") < MOST_TARGETS).select(columns)


def _first(resolved: pl.DataFrame, name: str) -> pl.DataFrame:
    return resolved.filter(pl.col("target") == 0).select("key", pl.col("concept_id").alias(name))


def _row(event: Event) -> dict[str, Any]:
    # what the source calls it, cut to the CDM's length
    code = event.codes[0].code if event.codes else event.text
    return {
        "key": event.key,
        "default": event.table,
        "person_id": event.person_id,
        "source_value": (code or event.text)[:SOURCE_VALUE_CHARACTERS] or None,
        "start_date": event.start.day,
        "start_datetime": event.start.time,
        "end_date": event.end.day if event.end else None,
        "end_datetime": event.end.time if event.end else None,
        "visit_occurrence_id": event.visit_id,
    }


def _shaped(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the columns of their table."""
    stem = name.removesuffix("_occurrence").removesuffix("_exposure")
    spans = {
        "condition_occurrence": "condition_",
        "drug_exposure": "drug_exposure_",
        "device_exposure": "device_exposure_",
    }
    start = spans.get(name, f"{stem}_") + ("start_" if name in spans else "")
    end = spans.get(name, f"{stem}_") + "end_"
    named = rows.with_columns(pl.lit(EHR, dtype=pl.Int64).alias("type")).rename(
        {
            "id": f"{name}_id",
            "concept_id": f"{stem}_concept_id",
            "source_concept_id": f"{stem}_source_concept_id",
            "source_value": f"{stem}_source_value",
            "type": f"{stem}_type_concept_id",
            "start_date": f"{start}date",
            "start_datetime": f"{start}datetime",
            "end_date": f"{end}date",
            "end_datetime": f"{end}datetime",
        }
    )
    if name == "drug_exposure":
        # the CDM wants an end: a drug without one was taken on that day at least
        named = named.with_columns(pl.col(f"{end}date").fill_null(pl.col(f"{start}date")))
    wanted = {c: kind for c, kind in definition(name).schema.items() if c in named.columns}
    return named.select(pl.col(c).cast(kind, strict=False) for c, kind in wanted.items())


def _retract(folder: Path, name: str, keys: Sequence[int], rows: pl.DataFrame | None) -> int:
    """Remove what these events left in a table, but for the rows that they have there now."""
    old = store.read(folder / f"{name}.parquet")
    column = f"{name}_id"
    if old is None or column not in old.columns:
        return 0
    base = pl.col(column).cast(pl.Int64) & ~(MOST_TARGETS - 1)
    theirs = base.is_in(pl.Series(keys, dtype=pl.Int64).implode())
    stays = pl.col(column).is_in(rows[column].implode()) if rows is not None else pl.lit(value=False)
    gone = old.filter(theirs & ~stays)[column]
    return store.remove(folder, definition(name), column, gone) if len(gone) else 0
