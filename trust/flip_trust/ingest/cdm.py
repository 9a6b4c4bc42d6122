"""The tables that records become: OMOP CDM 5.4 and MI-CDM, each column with its type, as facts in ``tables.csv``.

``image_order`` is our own, beside them: what was asked of radiology, with the accession number to fetch images by.

Source: https://ohdsi.github.io/CommonDataModel/cdm54.html and the Medical Imaging CDM (Park et al., 2024).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

import polars as pl

VOCABULARY_TABLES = frozenset(
    {
        "concept",
        "vocabulary",
        "domain",
        "concept_class",
        "concept_relationship",
        "relationship",
        "concept_synonym",
        "concept_ancestor",
        "source_to_concept_map",
        "drug_strength",
    }
)
TYPES: dict[str, pl.DataType] = {
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
}


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind (a key of ``TYPES``), and whether each row has to have it."""

    name: str
    kind: str
    required: bool


@dataclass(frozen=True)
class TableDefinition:
    """One table.

    Attributes:
        name: in lower case.
        columns: in the order of the standard.
        key: the columns that tell rows apart.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Each column's type in Polars."""
        return {column.name: TYPES[column.kind] for column in self.columns}


@cache
def definitions() -> dict[str, TableDefinition]:
    """Every table there is, by its name."""
    text = resources.files(__package__).joinpath("tables.csv").read_text("utf-8")
    columns: dict[str, list[Column]] = {}
    keys: dict[str, list[str]] = {}
    for row in csv.DictReader(text.splitlines()):
        columns.setdefault(row["table"], []).append(Column(row["column"], row["type"], row["required"] == "yes"))
        if row["key"] == "yes":
            keys.setdefault(row["table"], []).append(row["column"])
    return {name: TableDefinition(name, tuple(found), tuple(keys[name])) for name, found in columns.items()}


def definition(name: str) -> TableDefinition:
    """One table.

    Raises:
        KeyError: there is no such table.
    """
    return definitions()[name]
