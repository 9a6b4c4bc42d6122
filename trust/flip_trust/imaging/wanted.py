"""Which accession numbers are to be fetched: out of a file, or of a cohort's persons, as the records have them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from flip_sdk.contract import check_circe
from flip_sdk.contract.cohorts import Cohort

from flip_trust.cohort.criteria import persons_in
from flip_trust.cohort.omop import Omop
from flip_trust.errors import ImagingError


def listed(path: Path) -> list[str]:
    """The accession numbers of a file, one a line; empty lines and those that begin with # do not count.

    Raises:
        ImagingError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ImagingError(f"{path} cannot be read.", "Give a text file with an accession number a line.") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def of_cohort(home: Path, path: Path) -> list[str]:
    """The accession numbers of a cohort's persons: of what was ordered for them. Who opted out is in no cohort.

    Raises:
        ImagingError: the file is no cohort, or no orders were loaded.
        SetupError: a table that the cohort needs is missing.
        SpecError: the expression has what is not supported.
    """
    omop = Omop(home / "omop")
    orders = omop.folder / "image_order.parquet"
    if not orders.exists():
        raise ImagingError(
            "The records hold no orders for images, and so no accession numbers.",
            "Load orders with flip-trust ingest hl7, or give --accessions.",
        )
    persons = persons_in(_cohort(path), omop, datetime.now(UTC).year).select(pl.col("person_id").cast(pl.Int64))
    found = pl.scan_parquet(orders).join(persons, on="person_id", how="semi").select("accession_number")
    numbers: list[str] = found.drop_nulls().unique().sort("accession_number").collect()["accession_number"].to_list()
    return numbers


def _cohort(path: Path) -> Cohort:
    """A cohort as the SDK writes it, or an expression as ATLAS exports it."""
    try:
        content: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ImagingError(f"{path} is no JSON.", "Give a cohort as the SDK or ATLAS writes it.") from error
    if not isinstance(content, dict):
        raise ImagingError(f"{path} is no cohort.", "Give a cohort as the SDK or ATLAS writes it.")
    inner = content.get("expression")
    if "PrimaryCriteria" in content or (isinstance(inner, dict) and "criteria" not in content):
        return Cohort(expression=check_circe.read(content if "PrimaryCriteria" in content else inner or {}))
    return Cohort.parse(content)
