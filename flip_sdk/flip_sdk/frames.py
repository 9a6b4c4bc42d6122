"""Polars data frames that show themselves in a notebook as a plain table, without data types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from html import escape
from typing import Any

import polars as pl

_WIDTH = 140
_TABLE = "border-collapse:collapse;margin:.4em 0"
_HEAD = "text-align:{side};padding:.25em .8em;border-bottom:2px solid currentColor"
_CELL = "text-align:{side};padding:.25em .8em;border-bottom:1px solid rgba(128,128,128,.35)"
_BAR = ";background:linear-gradient(to right,rgba(0,94,184,.28) {share:.1f}%,transparent {share:.1f}%) no-repeat"

_MOST_LISTED = 3


class Frame(pl.DataFrame):
    """A Polars DataFrame with a caption. What you derive from it is an ordinary Polars DataFrame.

    Attributes:
        bars: columns of numbers that a notebook shows with a bar behind each.
    """

    caption: str = ""
    bars: tuple[str, ...] = ()

    def __repr__(self) -> str:
        kinds = zip(self.columns, self.dtypes, strict=True)
        written = [name for name, kind in kinds if not (kind.is_numeric() or kind in (pl.String, pl.Boolean))]
        plain = pl.DataFrame(self).with_columns(
            pl.Series(name, [shown(value) for value in self[name]], dtype=pl.String) for name in written
        )
        with pl.Config(
            tbl_hide_column_data_types=True,
            tbl_hide_dataframe_shape=True,
            tbl_cols=-1,
            tbl_rows=50,
            fmt_str_lengths=60,
            tbl_width_chars=_WIDTH,
        ):
            table = str(plain)
        return f"{self.caption}\n{table}" if self.caption else table

    __str__ = __repr__

    def _repr_html_(self, *, _from_series: bool = False) -> str:
        sides = ["right" if kind.is_numeric() else "left" for kind in self.dtypes]
        head = "".join(
            f'<th scope="col" style="{_HEAD.format(side=side)}">{escape(name.replace("_", " "))}</th>'
            for name, side in zip(self.columns, sides, strict=True)
        )
        tops = [max(self[name].drop_nulls(), default=0) if name in self.bars else 0 for name in self.columns]
        body = "".join(
            "<tr>"
            + "".join(_cell(value, side, top) for value, side, top in zip(row, sides, tops, strict=True))
            + "</tr>"
            for row in self.iter_rows()
        )
        caption = f'<caption style="text-align:left;padding:.3em 0;white-space:nowrap">{escape(self.caption)}</caption>'
        rows = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        return f'<table style="{_TABLE}">{caption if self.caption else ""}{rows}</table>'


def frame(
    rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any], caption: str = "", bars: Sequence[str] = ()
) -> Frame:
    """A Frame of these rows, with these columns even when there is no row."""
    made = Frame([dict(row) for row in rows], schema=dict(schema), orient="row")
    made.caption, made.bars = caption, tuple(bars)
    return made


def _bar(value: Any, top: float) -> str:
    return _BAR.format(share=100 * value / top) if value and top > 0 else ""


def _short(value: object) -> str:
    """As :func:`shown`, but of a long list only its first: all of it makes each row of a notebook four lines tall."""
    if isinstance(value, list) and len(value) > _MOST_LISTED:
        return f"{shown(value[0])} and {len(value) - 1} more"
    return shown(value)


def _cell(value: object, side: str, top: float) -> str:
    """A table's cell; ``top`` is the value whose bar is full, 0 for no bar."""
    text, whole = _short(value), shown(value)
    style = _CELL.format(side=side) + (_bar(value, top) if text == whole else ";white-space:nowrap")
    title = f' title="{escape(whole)}"' if text != whole else ""
    return f'<td style="{style}"{title}>{escape(text)}</td>'


def shown(value: object) -> str:
    """A value as a person reads it."""
    match value:
        case None:
            return "—"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case date():
            timed = isinstance(value, datetime) and (value.hour or value.minute)
            return value.strftime("%d %b %Y %H:%M" if timed else "%d %b %Y")
        case list() | tuple() | pl.Series():
            return ", ".join(shown(item) for item in value)
        case _:
            return str(value)
