"""Text to a table's types, row by row: what cannot be is told with its column, and nothing is guessed."""

from __future__ import annotations

import polars as pl

from flip_trust.ingest.cdm import Column, TableDefinition

LINE, REASON = "line", "reason"
_DATES = ("%Y-%m-%d", "%Y%m%d", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f")
_TIMES = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_WORDS = {
    "integer": "not a whole number",
    "float": "not a number",
    "date": "not a date (YYYY-MM-DD)",
    "datetime": "not a date and time (YYYY-MM-DD HH:MM:SS)",
}


def cast(rows: pl.DataFrame, table: TableDefinition) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows into those that fit a table and those that do not.

    Args:
        rows: the table's columns by their names in lower case, and ``line``; text, or typed already.
        table: the definition.

    Returns:
        Typed rows without ``line``, and the refused ones as they were with a ``reason``.
    """
    columns = [column for column in table.columns if column.name in rows.columns]
    plain = rows.with_columns(_plain(pl.col(c.name)) for c in columns if rows.schema[c.name] == pl.String)
    done = plain.with_columns(_typed(column, plain.schema[column.name]).alias(f"={column.name}") for column in columns)
    reasons = [_reason(column, plain.schema) for column in table.columns]
    told = done.with_columns(pl.concat_list(reasons).list.drop_nulls().list.join("; ").alias(REASON))
    fits = pl.col(REASON) == ""
    taken = told.filter(fits).select(pl.col(f"={column.name}").alias(column.name) for column in columns)
    refused = rows.with_columns(told[REASON]).filter(fits.not_())
    return taken, refused.with_columns(pl.all().exclude(LINE).cast(pl.String))


def _plain(column: pl.Expr) -> pl.Expr:
    """Without surrounding spaces, and null where nothing is left; spaces inside of a text are its own."""
    stripped = column.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _typed(column: Column, given: pl.DataType) -> pl.Expr:
    value = pl.col(column.name)
    text = given == pl.String
    match column.kind:
        case "integer" if text:
            # a frame with missing values is often written as 12.0
            return value.str.strip_suffix(".0").cast(pl.Int64, strict=False)
        case "integer":
            whole = value.cast(pl.Int64, strict=False)
            return pl.when(whole.cast(pl.Float64) == value.cast(pl.Float64)).then(whole) if given.is_float() else whole
        case "float":
            number = value.cast(pl.Float64, strict=False)
            return pl.when(number.is_finite()).then(number)
        case "date":
            return _first(value, pl.Date(), _DATES) if text else value.cast(pl.Date, strict=False)
        case "datetime":
            return _first(value, pl.Datetime("us"), _TIMES) if text else value.cast(pl.Datetime("us"), strict=False)
        case _:
            return value.cast(pl.String, strict=False)


def _first(value: pl.Expr, kind: pl.Date | pl.Datetime, formats: tuple[str, ...]) -> pl.Expr:
    bare = value.str.replace(r"(Z|[+-]\d{2}:?\d{2})$", "") if isinstance(kind, pl.Datetime) else value
    return pl.coalesce(bare.str.strptime(kind, form, strict=False) for form in formats)


def _reason(column: Column, given: pl.Schema) -> pl.Expr:
    if column.name not in given:
        return pl.lit(f"{column.name}: missing") if column.required else pl.lit(None, dtype=pl.String)
    source, done = pl.col(column.name), pl.col(f"={column.name}")
    wrong = pl.lit(f"{column.name}: {_WORDS.get(column.kind, 'not text')}")
    told = pl.when(source.is_not_null() & done.is_null()).then(wrong)
    if column.required:
        return told.when(source.is_null()).then(pl.lit(f"{column.name}: missing"))
    return told
