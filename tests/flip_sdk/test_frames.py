from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import polars as pl
from flip_sdk.frames import frame, shown

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SCHEMA = {
    "trust": str,
    "persons": int,
    "on": bool,
    "names": list,
    "at": datetime,
}


def test_a_frame_without_rows_has_its_columns() -> None:
    assert frame([], SCHEMA).columns == list(SCHEMA)


def test_the_table_is_plain_escaped_and_says_what_is_missing() -> None:
    row = {"trust": "<b>x</b>", "persons": None, "on": True, "names": ["a", "b"], "at": NOW}
    html = frame([row], SCHEMA, "A & B")._repr_html_()
    cells: list[str] = []

    class Cells(HTMLParser):
        def handle_data(self, data: str) -> None:
            cells.append(data)

    Cells().feed(html)
    assert cells == ["A & B", "trust", "persons", "on", "names", "at", "<b>x</b>", "—", "yes", "a, b", "02 Jan 2026"]
    assert 'scope="col"' in html


def test_a_long_list_is_told_by_its_first_and_whole_in_the_title() -> None:
    row = {"trust": "x", "persons": 1, "on": True, "names": ["<a>", "b", "c", "d"], "at": NOW}
    html = frame([row], SCHEMA)._repr_html_()
    assert ">&lt;a&gt; and 3 more<" in html
    assert 'title="&lt;a&gt;, b, c, d"' in html


def test_numbers_have_bars_where_asked_for() -> None:
    rows = [{"trust": name, "persons": persons} for name, persons in (("a", 50), ("b", 200), ("c", None))]
    schema = {"trust": str, "persons": int}
    html = frame(rows, schema, bars=("persons",))._repr_html_()
    assert html.count("linear-gradient") == 2
    assert "rgba(0,94,184,.28) 25.0%" in html
    assert "linear-gradient" not in frame(rows, schema)._repr_html_()
    assert "linear-gradient" not in frame([], schema, bars=("persons",))._repr_html_()


def test_text_shows_everything_without_data_types() -> None:
    rows = [{"trust": f"trust-{i}", "persons": i, "on": False, "names": [], "at": None} for i in range(20)]
    text = repr(frame(rows, SCHEMA, "Trusts"))
    assert all(f"trust-{i}" in text for i in range(20))
    assert "i64" not in text


def test_what_is_derived_is_an_ordinary_polars_frame() -> None:
    made = frame([{"trust": "a", "persons": 1}], {"trust": str, "persons": int})
    assert type(made.filter(pl.col("persons") > 0)) is pl.DataFrame


def test_values_as_a_person_reads_them() -> None:
    assert shown(0.123456) == "0.1235"
    assert shown(1e-5) == "1e-05"
    assert shown(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "02 Jan 2026 03:04"
    assert shown(False) == "no"
