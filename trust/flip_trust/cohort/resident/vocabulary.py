"""Concept sets, made out to the concepts that they mean with the Trust's own vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from flip_sdk.contract.circe import ConceptSet, ConceptSetItem

from flip_trust.cohort.resident.tables import Ints, Table, concepts_of
from flip_trust.errors import SetupError

ANCESTOR, RELATIONSHIP, CONCEPT = "concept_ancestor", "concept_relationship", "concept"


@dataclass(frozen=True)
class Vocabulary:
    """A folder of Athena's tables in Parquet, of which each is read when it is first needed."""

    folder: Path
    _read: dict[str, tuple[Ints, Ints]] = field(default_factory=dict, repr=False, compare=False)

    def members(self, concept_set: ConceptSet) -> frozenset[int]:
        """The concepts of a set: what is included, less what is excluded, after circe-be's concept set queries.

        Raises:
            SetupError: it asks for descendants or mapped concepts, and their table is missing.
        """
        items = concept_set.expression.items
        included = self._all(item for item in items if not item.isExcluded)
        return included - self._all(item for item in items if item.isExcluded)

    def descendants(self, ancestor: int) -> set[int]:
        """A concept's descendants that are still valid, itself included.

        Raises:
            SetupError: there is no concept_ancestor table.
        """
        keys, values = self._pairs(ANCESTOR)
        low, high = np.searchsorted(keys, [ancestor, ancestor + 1])
        return set(values[low:high].tolist())

    @property
    def nbytes(self) -> int:
        """Resident memory."""
        return sum(keys.nbytes + values.nbytes for keys, values in self._read.values())

    def _all(self, items: Iterable[ConceptSetItem]) -> frozenset[int]:
        plain: set[int] = set()
        mapped: set[int] = set()
        for item in items:
            found = {item.concept.CONCEPT_ID}
            if item.includeDescendants:
                found |= self.descendants(item.concept.CONCEPT_ID)
            plain |= found
            mapped |= found if item.includeMapped else set()
        return frozenset(plain | self._mapped(mapped)) if mapped else frozenset(plain)

    def _mapped(self, concepts: set[int]) -> set[int]:
        keys, values = self._pairs(RELATIONSHIP)
        return set(values[np.isin(keys, np.fromiter(concepts, dtype=np.int64))].tolist())

    def _pairs(self, name: str) -> tuple[Ints, Ints]:
        if name not in self._read:
            frame = self._ancestors() if name == ANCESTOR else self._mappings()
            self._read[name] = concepts_of(frame, "key"), concepts_of(frame, "value")
        return self._read[name]

    def _ancestors(self) -> pl.DataFrame:
        frame = self._table(ANCESTOR).read("ancestor_concept_id", "descendant_concept_id")
        frame = frame.select(pl.col("ancestor_concept_id").alias("key"), pl.col("descendant_concept_id").alias("value"))
        concept = Table.at(self.folder / f"{CONCEPT}.parquet")
        if concept.path.exists() and {"concept_id", "invalid_reason"} <= concept.columns():
            given_up = concept.read("concept_id", "invalid_reason").filter(pl.col("invalid_reason").is_not_null())
            frame = frame.filter(~pl.col("value").is_in(given_up.get_column("concept_id").implode()))
        return frame.sort("key")

    def _mappings(self) -> pl.DataFrame:
        table = self._table(RELATIONSHIP)
        reason = [name for name in ("invalid_reason",) if name in table.columns()]
        frame = table.read("concept_id_1", "concept_id_2", "relationship_id", *reason)
        frame = frame.filter(pl.col("relationship_id") == "Maps to")
        for name in reason:
            frame = frame.filter(pl.col(name).is_null())
        return frame.select(pl.col("concept_id_2").alias("key"), pl.col("concept_id_1").alias("value")).sort("key")

    def _table(self, name: str) -> Table:
        table = Table.at(self.folder / f"{name}.parquet")
        if not table.path.exists():
            raise SetupError(
                f"A concept set asks for more than its own concepts, and there is no {table.path}.",
                "Load an Athena vocabulary, or name the concepts one by one.",
            )
        return table
