"""Tables of rows that show themselves: lines in a terminal, a plain HTML table in a notebook, no data types in either.

A table needs nothing but Python. Where Polars is installed (``flip-sdk[tables]``) it is a Polars table as well: what
Polars can do with a DataFrame it does with a Frame, and gives a DataFrame back.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from flip_sdk.extras import installed, needed
from flip_sdk.looks import Cell, drawn, table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Kind = type
"""A column's: ``str``, ``int``, ``float``, ``bool``, ``list`` (of words), ``date`` or ``datetime`` (in UTC)."""
_MOST_LISTED = 3
_MOST_ROWS = 50


class Frame:
    """A table with a caption, as every list of this package is.

    ``frame["column"]`` is a column (of Polars where it is installed, else a list), ``len(frame)`` the number of rows,
    ``frame.rows(named=True)`` all rows. :meth:`polars` and :meth:`pandas` make it one of theirs, and what else a Polars
    DataFrame offers may be asked of the Frame itself: ``frame.filter(…)``, ``frame.sort(…)``.

    Attributes:
        caption: what it shows, in a line.
        bars: columns of numbers that a notebook shows with a bar behind each, and the column in which a full bar's
            number stands; None for the greatest of the column itself.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Any]],
        kinds: Mapping[str, Kind],
        caption: str = "",
        bars: Mapping[str, str | None] | None = None,
    ) -> None:
        self.caption = caption
        self.bars = dict(bars or {})
        self._kinds = dict(kinds)
        self._rows = [tuple(row) for row in rows]

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return list(self._kinds)

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each column holds, as a Python type."""
        return dict(self._kinds)

    @property
    def height(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self._kinds)

    def __len__(self) -> int:
        return len(self._rows)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, column: object) -> bool:
        return column in self._kinds

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str) and key not in self._kinds:
            raise KeyError(f"There is no column {key!r}. The columns are {', '.join(map(repr, self._kinds))}.")
        if isinstance(key, str) and not installed("polars"):
            return self.values(key)
        return self.polars()[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self.polars(), name)
        return _taking_frames(found) if callable(found) else found

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """For every library that reads Arrow."""
        return self.polars().__arrow_c_stream__(requested_schema)

    def is_empty(self) -> bool:
        """Whether there is no row."""
        return not self._rows

    def values(self, column: str) -> list[Any]:
        """A column as a list."""
        place = self.columns.index(column)
        return [row[place] for row in self._rows]

    def iter_rows(self, *, named: bool = False) -> Iterator[Any]:
        """Row by row: tuples, or dictionaries where ``named``."""
        return iter(dict(zip(self._kinds, row, strict=True)) for row in self._rows) if named else iter(self._rows)

    def rows(self, *, named: bool = False) -> list[Any]:
        """All rows: tuples, or dictionaries where ``named``."""
        return list(self.iter_rows(named=named))

    def to_dicts(self) -> list[dict[str, Any]]:
        """All rows as dictionaries."""
        return self.rows(named=True)

    def write_json(self) -> str:
        """All rows as a JSON list of objects; times as in ISO 8601."""
        return json.dumps(self.to_dicts(), default=lambda value: value.isoformat(), ensure_ascii=False)

    def polars(self) -> pl.DataFrame:
        """As a Polars DataFrame.

        Raises:
            ExtraMissingError: Polars is not installed.
        """
        with needed("tables", "That work with a table"):
            import polars as pl
        types: dict[Kind, Any] = {
            **{str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean, list: pl.List(pl.String)},
            **{date: pl.Date, datetime: pl.Datetime(time_zone="UTC")},
        }
        return pl.DataFrame(self._rows, {name: types[kind] for name, kind in self._kinds.items()}, orient="row")

    def pandas(self) -> pd.DataFrame:
        """As a pandas DataFrame.

        Raises:
            ExtraMissingError: pandas is not installed.
        """
        with needed("pandas", "A pandas table"):
            import pandas as pd
        made = pd.DataFrame(self._rows, columns=self.columns)
        for name, kind in self._kinds.items():
            if kind in (int, float):  # a number that is missing is no reason for a column of objects
                made[name] = made[name].astype({int: "Int64", float: "float64"}[kind])
        return made

    def __repr__(self) -> str:
        lines = drawn(
            self.columns,
            [[shown(value) for value in row] for row in self._rows[:_MOST_ROWS]],
            [_is_number(kind) for kind in self._kinds.values()],
        )
        more = len(self._rows) - _MOST_ROWS
        rest = f"\n… and {more} more rows" if more > 0 else ""
        return (f"{self.caption}\n" if self.caption else "") + lines + rest

    def _repr_html_(self) -> str:
        heads = [(name.replace("_", " "), _is_number(kind)) for name, kind in self._kinds.items()]
        return table(heads, [self._cells(row) for row in self._rows], escape(self.caption))

    def _cells(self, row: Sequence[Any]) -> list[Cell]:
        named = dict(zip(self._kinds, row, strict=True))
        return [_cell(value, self._full(name, named)) for name, value in named.items()]

    def _full(self, name: str, row: Mapping[str, Any]) -> float:
        """The number at which a row's bar is full; 0 for no bar."""
        if name not in self.bars:
            return 0.0
        of = self.bars[name]
        return max((v for v in self.values(name) if v is not None), default=0.0) if of is None else row[of] or 0.0


def frame(
    rows: Sequence[Mapping[str, Any]],
    kinds: Mapping[str, Kind],
    caption: str = "",
    bars: Sequence[str] | Mapping[str, str | None] = (),
) -> Frame:
    """A Frame of these rows, with these columns even when there is no row; what a row lacks is None."""
    full = [[_taken(row.get(name), kind) for name, kind in kinds.items()] for row in rows]
    return Frame(full, kinds, caption, bars if isinstance(bars, Mapping) else dict.fromkeys(bars))


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
        case list() | tuple():
            return ", ".join(shown(item) for item in value)
        case _:
            return str(value)


def _taking_frames(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Polars that takes Frames beside DataFrames."""

    @functools.wraps(method)
    def called(*given: Any, **named: Any) -> Any:
        told = [one.polars() if isinstance(one, Frame) else one for one in given]
        return method(*told, **{n: one.polars() if isinstance(one, Frame) else one for n, one in named.items()})

    return called


def _taken(value: Any, kind: Kind) -> Any:
    return float(value) if kind is float and isinstance(value, int) else value


def _is_number(kind: Kind) -> bool:
    return kind in (int, float)


def _cell(value: object, full: float) -> Cell:
    """Of a long list only its first, with the whole in the title: all of it makes each row of a notebook four tall."""
    whole = shown(value)
    if isinstance(value, list) and len(value) > _MOST_LISTED:
        return Cell(f"{shown(value[0])} and {len(value) - 1} more", title=whole)
    share = value / full if isinstance(value, int | float) and value and full > 0 else None
    return Cell(whole, share=share)
