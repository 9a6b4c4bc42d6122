"""The Trust's own vocabulary, as downloaded from OHDSI's Athena, and a source code's way to a standard concept."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from flip_trust.errors import IngestError
from flip_trust.ingest import store
from flip_trust.ingest.cdm import VOCABULARY_TABLES, definitions
from flip_trust.ingest.report import MappingReport

_CONCEPT = ("concept_id", "concept_name", "domain_id", "vocabulary_id", "standard_concept", "concept_code")


def load(home: Path, folder: Path) -> MappingReport:
    """Load an Athena download: tab-separated ``CONCEPT.csv``, ``CONCEPT_RELATIONSHIP.csv``, and so on.

    Raises:
        IngestError: there is no ``CONCEPT.csv``, or a file cannot be read.
    """
    from flip_trust.ingest.omop import load_file

    files = {path.stem.lower(): path for path in sorted(folder.glob("*")) if path.suffix.lower() == ".csv"}
    if "concept" not in files:
        raise IngestError(f"There is no CONCEPT.csv in {folder}.", "Give the folder that Athena's download unpacks to.")
    report = MappingReport("vocabulary")
    for name in sorted(VOCABULARY_TABLES & files.keys()):
        load_file(home, definitions()[name], files[name], report, _separator(files[name]))
    refresh_used(home)
    return report


def refresh_used(home: Path) -> None:
    """Write ``omop/concept.parquet`` anew: the concepts that the tables use, and everything above them.

    It stays as it is where the Trust has no vocabulary.
    """
    concepts = home / "vocabulary" / "concept.parquet"
    if not concepts.exists():
        return
    with store.writing(home / "omop"):
        wanted = _used(home / "omop")
        ancestors = home / "vocabulary" / "concept_ancestor.parquet"
        if ancestors.exists():
            above = pl.scan_parquet(ancestors).join(wanted, left_on="descendant_concept_id", right_on="concept_id")
            wanted = pl.concat([wanted, above.select(pl.col("ancestor_concept_id").alias("concept_id"))]).unique()
        kept = pl.scan_parquet(concepts).join(wanted, on="concept_id", how="semi").sort("concept_id").collect()
        path = home / "omop" / "concept.parquet"
        old = store.read(path)
        if old is not None:
            # what another hand put there (a local concept that the vocabulary lacks) stays
            kept = pl.concat([kept, old.join(kept, on="concept_id", how="anti")], how="diagonal_relaxed")
            kept = kept.sort("concept_id")
        if old is None or not kept.equals(old):
            store.write(path, kept)


class Vocabulary:
    """Source codes and their standard concepts; empty where the Trust has loaded none."""

    def __init__(self, home: Path) -> None:
        folder = home / "vocabulary"
        self._concepts = _scan(folder / "concept.parquet")
        self._relations = _scan(folder / "concept_relationship.parquet")
        self._local = _scan(folder / "source_to_concept_map.parquet")

    def resolve(self, codes: pl.DataFrame) -> pl.DataFrame:
        """Look codes up.

        Args:
            codes: ``vocabulary_id`` and ``code``, each pair once.

        Returns:
            The same with ``source_concept_id``, ``concept_id`` and ``domain_id``: a row for each standard concept that
            a code maps to, and none for a code that maps to none.
        """
        if self._concepts is None:
            return codes.with_columns(_NOTHING).clear()
        concepts = self._concepts.select(_CONCEPT)
        found = codes.lazy().join(
            concepts.rename({"concept_code": "code", "concept_id": "source_concept_id"}), on=["vocabulary_id", "code"]
        )
        parts = [found.filter(pl.col("standard_concept") == "S").with_columns(concept_id=pl.col("source_concept_id"))]
        if self._relations is not None:
            current = (
                pl.col("invalid_reason").is_null() if "invalid_reason" in self._relations.collect_schema() else True
            )
            to = self._relations.filter((pl.col("relationship_id") == "Maps to") & current)
            to = to.select(source_concept_id="concept_id_1", concept_id="concept_id_2")
            parts.append(found.filter(pl.col("standard_concept") != "S").join(to, on="source_concept_id"))
            parts.append(found.filter(pl.col("standard_concept").is_null()).join(to, on="source_concept_id"))
        if self._local is not None:
            local = self._local.select(
                vocabulary_id="source_vocabulary_id",
                code="source_code",
                source_concept_id="source_concept_id",
                concept_id="target_concept_id",
            )
            parts.append(codes.lazy().join(local, on=["vocabulary_id", "code"]))
        pairs = [part.select("vocabulary_id", "code", "source_concept_id", "concept_id") for part in parts]
        standard = concepts.filter(pl.col("standard_concept") == "S").select("concept_id", "domain_id")
        joined = pl.concat(pairs, how="vertical_relaxed").join(standard, on="concept_id")
        known, source = ["vocabulary_id", "code", "concept_id"], pl.col("source_concept_id")
        # of several ways to one concept the same each time: by a source concept, where there is one
        ways = joined.sort(*known, source.fill_null(0) == 0, source)
        return ways.unique(known, keep="first", maintain_order=True).collect()


_NOTHING = (
    pl.lit(0, dtype=pl.Int64).alias("source_concept_id"),
    pl.lit(0, dtype=pl.Int64).alias("concept_id"),
    pl.lit("", dtype=pl.String).alias("domain_id"),
)


def _used(folder: Path) -> pl.LazyFrame:
    columns = []
    for path in sorted(folder.glob("*.parquet")):
        if path.stem in VOCABULARY_TABLES or path.stem not in definitions():
            continue
        frame = pl.scan_parquet(path)
        names = [name for name in frame.collect_schema().names() if name.endswith("concept_id")]
        columns += [frame.select(pl.col(name).cast(pl.Int64).alias("concept_id")).unique() for name in names]
    empty = pl.LazyFrame({"concept_id": []}, schema={"concept_id": pl.Int64})
    return pl.concat([empty, *columns]).drop_nulls().unique()


def _scan(path: Path) -> pl.LazyFrame | None:
    return pl.scan_parquet(path) if path.exists() else None


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return "\t" if "\t" in stream.readline() else ","
