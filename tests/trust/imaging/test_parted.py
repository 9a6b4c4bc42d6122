"""Tables in parts: the last row counts, parts are put together, and whoever was reading goes on."""

from __future__ import annotations

import polars as pl
import pytest
from flip_trust.imaging.parted import Parted


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr("flip_trust.imaging.parted.MOST_PARTS", 2)
    return Parted(tmp_path, {"name": pl.String(), "value": pl.Int64()}, "name")


def test_the_last_row_counts_and_parts_are_put_together(table):
    for number in range(9):
        table.add(pl.DataFrame({"name": ["same", f"own {number}"], "value": [number, number]}))

    found = dict(table.frame().collect().iter_rows())
    assert found == {"same": 8} | {f"own {number}": number for number in range(9)}
    assert len(list(table.folder.glob("*.parquet"))) <= 5


def test_a_clock_that_is_put_back_loses_no_row(table):
    for number in range(4):
        table.add(pl.DataFrame({"name": ["same", f"own {number}"], "value": [number, number]}))
    for path in table.folder.glob("*.parquet"):
        path.rename(path.with_name(f"9{path.name[1:]}"))
    for number in range(4, 9):
        table.add(pl.DataFrame({"name": ["same", f"own {number}"], "value": [number, number]}))

    found = dict(table.frame().collect().iter_rows())
    assert found == {"same": 8} | {f"own {number}": number for number in range(9)}


def test_a_reader_that_listed_the_parts_can_still_read_them(table):
    table.add(pl.DataFrame({"name": ["a"], "value": [1]}))
    table.add(pl.DataFrame({"name": ["b"], "value": [2]}))
    reading = table.frame()
    table.add(pl.DataFrame({"name": ["c"], "value": [3]}))

    assert reading.collect().height == 2
    assert table.frame().collect().height == 3


def test_an_empty_table_has_its_columns(table):
    assert table.frame().collect().schema == table.schema
