"""OMOP CDM 5.4 tables in Parquet: ``person``, ``measurement``, ``condition_occurrence`` and ``concept``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import polars as pl
from flip_sdk.contract.notices import CatalogueConcept, Domain

from flip_trust.errors import SetupError
from flip_trust.ingest.links import opted_out_persons

CATALOGUE_FILE = "catalogue.toml"
MAX_CONCEPTS = 100_000
_DOMAINS: tuple[Domain, ...] = get_args(Domain)
_COLUMNS = {
    "person": ("person_id", "gender_concept_id", "year_of_birth"),
    "measurement": ("person_id", "measurement_concept_id", "measurement_date", "value_as_number"),
    "condition_occurrence": ("person_id", "condition_concept_id"),
    "concept": ("concept_id", "concept_name", "domain_id"),
}


@dataclass(frozen=True)
class Omop:
    """A folder of tables. Each read sees the files as they are then."""

    folder: Path

    def table(self, name: str) -> pl.LazyFrame:
        """One table, not read yet.

        Raises:
            SetupError: it is missing, or lacks a column.
        """
        path = self.folder / f"{name}.parquet"
        if not path.exists():
            raise SetupError(f"There is no {path}.", "Load the Trust's OMOP tables into its home folder.")
        frame = pl.scan_parquet(path)
        if missing := sorted(set(_COLUMNS[name]) - set(frame.collect_schema().names())):
            raise SetupError(f"{path} lacks the columns {', '.join(missing)}.", "Load OMOP CDM 5.4 tables.")
        return frame

    def is_larger(self, name: str, rows: int) -> bool:
        """Whether a table has so many rows or more, by its footer alone."""
        path = self.folder / f"{name}.parquet"
        return path.exists() and int(pl.scan_parquet(path).select(pl.len()).collect().item()) >= rows

    def persons(self) -> pl.LazyFrame:
        """One row a person, without those who opted out."""
        persons = self.table("person").select(_COLUMNS["person"]).unique("person_id", keep="first")
        opted_out = opted_out_persons(self.folder)
        if opted_out is None:
            return persons
        return persons.join(opted_out, left_on=pl.col("person_id").cast(pl.Int64), right_on="person_id", how="anti")

    def latest(self, concept_ids: Iterable[int]) -> pl.LazyFrame:
        """``person_id``, ``measurement_concept_id``, ``value``: the latest finite value of each concept."""
        return self._last_of(concept_ids, "person_id", "measurement_concept_id")

    def by_date(self, concept_ids: Iterable[int]) -> pl.LazyFrame:
        """The same with ``date``: the latest finite value of each concept on each date of measurement."""
        return self._last_of(concept_ids, "person_id", "date", "measurement_concept_id")

    def _last_of(self, concept_ids: Iterable[int], *keys: str) -> pl.LazyFrame:
        frame = self.table("measurement")
        schema = frame.collect_schema()
        order = [c for c in ("measurement_date", "measurement_datetime", "measurement_id") if c in schema.names()]
        date = pl.col("measurement_date")
        value = pl.col("value_as_number").cast(pl.Float64)
        return (
            frame.filter(pl.col("measurement_concept_id").is_in(list(concept_ids)) & value.is_finite())
            # the value settles what is left: a sort keeps no order of its own, and who else is there would decide
            .sort(*order, value, nulls_last=False)
            .with_columns((date.dt.date() if schema["measurement_date"] == pl.Datetime else date).alias("date"))
            .group_by(keys)
            .agg(value.last().alias("value"))
        )

    def with_condition(self, concept_ids: Iterable[int]) -> pl.LazyFrame:
        """``person_id`` of the persons who have one of these conditions, once each."""
        held = pl.col("condition_concept_id").is_in(list(concept_ids))
        return self.table("condition_occurrence").filter(held).select("person_id").unique()

    def domains(self, concept_ids: Iterable[int]) -> dict[int, str]:
        """The domain of each of these concepts that the concept table has."""
        frame = self.table("concept").filter(pl.col("concept_id").is_in(list(concept_ids)))
        return dict(frame.select("concept_id", "domain_id").collect().iter_rows())

    def names(self) -> dict[int, str]:
        """The name of each concept of the concept table; none where there is no such table."""
        if not (self.folder / "concept.parquet").exists():
            return {}
        return dict(self.table("concept").select("concept_id", "concept_name").collect().iter_rows())

    def catalogue(self) -> tuple[CatalogueConcept, ...]:
        """What may be published of the concept table, with the bounds that the steward declared. No patient is read.

        Raises:
            SetupError: a table or ``catalogue.toml`` cannot be read, or there are too many concepts.
        """
        declared = self._declared()
        frame = self.table("concept").filter(pl.col("domain_id").is_in(_DOMAINS)).sort("concept_id")
        if frame.select(pl.len()).collect().item() > MAX_CONCEPTS:
            raise SetupError(
                f"The concept table has more than {MAX_CONCEPTS} concepts.", "Keep those in it that the data set uses."
            )
        rows = frame.select(_COLUMNS["concept"]).collect().iter_rows()
        return tuple(
            CatalogueConcept(concept_id=concept_id, name=name[:200], domain=domain, **declared.get(concept_id, {}))
            for concept_id, name, domain in rows
        )

    def _declared(self) -> dict[int, dict[str, Any]]:
        path = self.folder / CATALOGUE_FILE
        if not path.exists():
            return {}
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            return {
                int(entry["concept_id"]): {
                    "unit": str(entry.get("unit", "")),
                    "low": float(entry["low"]),
                    "high": float(entry["high"]),
                }
                for entry in content.get("measurement", [])
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SetupError(
                f"{path} cannot be read.", "Each [[measurement]] needs concept_id, low and high, and may have a unit."
            ) from error
