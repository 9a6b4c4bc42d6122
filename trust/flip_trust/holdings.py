"""What a Trust's catalogue counts: exact sums over persons' shortened rows. Noise comes after, not here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce

import numpy as np
import polars as pl
from flip_sdk.contract.holdings import BODY_PARTS, MODALITIES, TABLES, HeldTable
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.mechanisms.holdings import Array, Counts, Group, Public, shapes, shortened_weights

from flip_trust.cohort.omop import Omop
from flip_trust.cohort.resident.domains import DOMAINS
from flip_trust.config import TrustConfig
from flip_trust.ingest.quality import persons as by_person
from flip_trust.ingest.quality.checks import Tables

_DATES = {domain.table: domain.start for domain in DOMAINS.values()}
_CONCEPTS = {
    "Condition": ("condition_occurrence", "condition_concept_id"),
    "Measurement": ("measurement", "measurement_concept_id"),
    "Drug": ("drug_exposure", "drug_concept_id"),
    "Procedure": ("procedure_occurrence", "procedure_concept_id"),
    "Observation": ("observation", "observation_concept_id"),
    "Visit": ("visit_occurrence", "visit_concept_id"),
    "Gender": ("person", "gender_concept_id"),
}
_MONTH = 12 * pl.col("day").dt.year() + pl.col("day").dt.month() - 1
_IMAGE_TYPES = pl.Schema({"series": pl.Int64, "person_id": pl.Int64, "modality": pl.String, "body_part": pl.String})
_IMAGE = {
    "image_series": ("modality", "body_part"),
    "image_occurrence": ("modality_source_value", "anatomic_site_source_value"),
}


def public_of(config: TrustConfig, concepts: Sequence[CatalogueConcept], today: date) -> Public:
    """What is counted: the catalogue's concepts, and lists that are the same at every Trust."""
    return Public(
        concepts=tuple(concept.concept_id for concept in concepts),
        checks=by_person.public_checks(),
        year=today.year,
        month=today.month,
        floor=config.floor,
        rounding=config.rounding,
    )


def counts_of(omop: Omop, concepts: Sequence[CatalogueConcept], public: Public, today: date) -> Counts:
    """Sums over everybody who has not opted out.

    Args:
        omop: the tables; one that is missing counts nobody.
        concepts: of the catalogue.
        public: what is counted.
        today: no record is later.

    Raises:
        SetupError: there is no person table.
    """
    tables = Tables(omop.folder, today)
    persons = omop.persons().select(pl.col("person_id").cast(pl.Int64), "year_of_birth").collect().lazy()
    records = {table: _dated(table, tables, persons) for table in TABLES}
    rows: dict[Group, pl.LazyFrame] = {
        "concepts": _concepts(tables, concepts, persons),
        "imaging": _imaging(tables, persons),
        "years": _stacked([_by_year(records[table], place, public) for place, table in enumerate(TABLES)]),
        "tables": _stacked([_by_month(records[table], place, public) for place, table in enumerate(TABLES)]),
        "quality": by_person.failing(tables, persons).lazy(),
    }
    return Counts(**{group: _sums(rows[group], group, shape) for group, shape in shapes(public).items()})


def _sums(rows: pl.LazyFrame, group: Group, shape: tuple[int, ...]) -> Array:
    """Sums of shortened rows, told as ``person_id``, ``cell`` (once each) and, where it is not 1, ``share``."""
    size = int(np.prod(shape))
    if "share" not in rows.collect_schema():
        rows = rows.with_columns(share=pl.lit(1.0))
    length = pl.col("share").pow(2).sum().over("person_id").sqrt()
    entries = rows.select("cell", "share", length=length).collect()
    weights = entries["share"].to_numpy() * shortened_weights(entries["length"].to_numpy(), group, size)
    sums: Array = np.bincount(entries["cell"].to_numpy(), weights=weights, minlength=size).astype(np.float64)
    return sums.reshape(shape)


def _concepts(tables: Tables, concepts: Sequence[CatalogueConcept], persons: pl.LazyFrame) -> pl.LazyFrame:
    """Who has a record of each concept, in the table of its domain."""
    found = []
    for domain, (table, column) in _CONCEPTS.items():
        asked = [(c.concept_id, place) for place, c in enumerate(concepts) if c.domain == domain]
        if asked and tables.has(table) and {"person_id", column} <= set(tables.columns(table)):
            cells = pl.LazyFrame(asked, schema={"concept_id": pl.Int64, "cell": pl.Int64}, orient="row")
            held = tables.scan(table).select(
                pl.col("person_id").cast(pl.Int64), pl.col(column).cast(pl.Int64).alias("concept_id")
            )
            held = held.unique().join(cells, on="concept_id").join(persons, on="person_id", how="semi")
            found.append(held.select("person_id", "cell"))
    return _stacked(found)


def _imaging(tables: Tables, persons: pl.LazyFrame) -> pl.LazyFrame:
    """Who has a series of each modality, of any part and of each; by its headers, else by its occurrence."""
    frames = []
    for table, columns in _IMAGE.items():
        wanted = ("image_occurrence_id", "person_id", *columns)
        if tables.has(table) and set(wanted) <= set(tables.columns(table)):
            names = dict(zip(wanted, ("series", "person_id", "modality", "body_part"), strict=True))
            frames.append(tables.scan(table).select(wanted).rename(names).cast(_IMAGE_TYPES))
    if not frames:
        return _stacked([])
    first = reduce(lambda one, two: pl.concat([one, two], how="vertical_relaxed"), frames)
    code = (
        pl.col(name).drop_nulls().first().str.strip_chars().str.to_uppercase() for name in ("modality", "body_part")
    )
    series = first.group_by("person_id", "series").agg(*code).join(persons, on="person_id", how="semi")
    width = 1 + len(BODY_PARTS)
    places = {code: place * width for place, code in enumerate(MODALITIES)}
    series = series.with_columns(
        base=pl.col("modality").replace_strict(places, default=None, return_dtype=pl.Int64),
        part=pl.col("body_part").replace_strict(
            {code: place for place, code in enumerate(BODY_PARTS, start=1)}, default=None, return_dtype=pl.Int64
        ),
    ).drop_nulls("base")
    of_any = series.select("person_id", cell=pl.col("base"))
    of_part = series.drop_nulls("part").select("person_id", cell=pl.col("base") + pl.col("part"))
    return pl.concat([of_any, of_part]).unique()


def _dated(table: HeldTable, tables: Tables, persons: pl.LazyFrame) -> pl.LazyFrame:
    """``person_id`` and ``day`` of a table's records; the day is null where it is missing or in the future."""
    column = _DATES[table]
    if not tables.has(table) or "person_id" not in tables.columns(table):
        return pl.LazyFrame(schema={"person_id": pl.Int64, "day": pl.Date})
    day = pl.col(column).cast(pl.Date, strict=False) if column in tables.columns(table) else pl.lit(None, pl.Date)
    frame = tables.scan(table).select(pl.col("person_id").cast(pl.Int64), day.alias("day"))
    frame = frame.with_columns(day=pl.when(pl.col("day") <= tables.today).then("day"))
    return frame.join(persons, on="person_id", how="semi")


def _by_year(records: pl.LazyFrame, place: int, public: Public) -> pl.LazyFrame:
    year = pl.col("day").dt.year().cast(pl.Int64) - public.years[0]
    return (
        records.select("person_id", year=year)
        .filter(pl.col("year") >= 0)
        .unique()
        .select("person_id", cell=pl.col("year") + place * len(public.years))
    )


def _by_month(records: pl.LazyFrame, place: int, public: Public) -> pl.LazyFrame:
    """Everybody with a record, and each in the month of their latest one."""
    first = place * (1 + len(public.months))
    latest = records.group_by("person_id").agg(pl.col("day").max())
    month = latest.select("person_id", month=_MONTH.cast(pl.Int64) - public.months[0]).filter(pl.col("month") >= 0)
    ever = latest.select("person_id", cell=pl.lit(first, pl.Int64))
    return pl.concat([ever, month.select("person_id", cell=pl.col("month") + first + 1)])


def _stacked(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    empty = pl.LazyFrame(schema={"person_id": pl.Int64, "cell": pl.Int64})
    return pl.concat([empty, *frames])
