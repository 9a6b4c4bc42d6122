"""Rows of persons who were merged (HL7's ADT^A40) go to the person who survives, in every table.

Every load ends with it, and doing it again changes nothing: so it does not matter by which way a row came, nor whether
it came before its person's merge or after. Where a table that still has the old person is loaded, its rows move.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from flip_trust.ingest import links, periods, store
from flip_trust.ingest.cdm import definitions
from flip_trust.ingest.report import MappingReport

_PERIOD = "observation_period"
_OF_LINKS = frozenset({links.LINK.name, links.OPTED_OUT.name})


def apply(home: Path, report: MappingReport) -> None:
    """Move the rows of everyone who was merged away; of a row a person (``person``, ``death``), the survivor's stays.

    Args:
        home: the Trust's home.
        report: is told how many rows were moved.
    """
    now = links.merged(home / "omop")
    if not now:
        return
    gone = pl.LazyFrame({"person_id": list(now)}, schema={"person_id": pl.Int64})
    with store.writing(home / "omop"):
        for path in sorted((home / "omop").glob("*.parquet")):
            if path.stem not in _OF_LINKS and "person_id" in pl.scan_parquet(path).collect_schema():
                report.moved += _move(path, now, gone)


def _move(path: Path, now: dict[int, int], gone: pl.LazyFrame) -> int:
    rows = pl.scan_parquet(path).with_columns(pl.col("person_id").cast(pl.Int64))
    count = int(rows.join(gone, on="person_id", how="semi").select(pl.len()).collect().item())
    if not count:
        return 0
    frame = pl.read_parquet(path).with_columns(pl.col("person_id").cast(pl.Int64))
    if path.stem == _PERIOD:
        # derived anew of all that the survivor has
        frame = frame.filter(~periods.is_derived())
    moved = pl.col("person_id").is_in(list(now)).alias("moved")
    frame = frame.with_columns(moved).with_columns(pl.col("person_id").replace(now))
    table = definitions().get(path.stem)
    if table is not None and table.key == ("person_id",):
        frame = frame.sort("moved", maintain_order=True).unique("person_id", keep="first", maintain_order=True)
        frame = frame.sort("person_id")
    if path.stem == _PERIOD:
        frame = _joined(frame)
    store.write(path, frame.drop("moved"))
    return count


def _joined(frame: pl.DataFrame) -> pl.DataFrame:
    """Periods of one person that overlap or touch after a move, as one: the CDM has none that do."""
    start, end = "observation_period_start_date", "observation_period_end_date"
    affected = frame.filter("moved").select("person_id").unique()
    rows = frame.join(affected, on="person_id", how="semi").sort("person_id", start, "moved", "observation_period_id")
    before = pl.col(end).cum_max().shift(1).over("person_id")
    begins = (pl.col(start) > before + pl.duration(days=1)).fill_null(value=True)
    rows = rows.with_columns(begins.cast(pl.Int64).cum_sum().over("person_id").alias("part"))
    firsts = pl.all().exclude("person_id", "part", end).first()
    joined = rows.group_by("person_id", "part", maintain_order=True).agg(firsts, pl.col(end).max())
    rest = frame.join(affected, on="person_id", how="anti")
    return pl.concat([rest, joined.select(frame.columns)]).sort("observation_period_id")
