"""The report as a page that needs nothing else: inline SVG, no script."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from flip_trust.ingest.quality.checks import Outcome
from flip_trust.ingest.report import page

CATEGORIES = ("completeness", "plausibility", "conformance")
_DATES = {
    "visit_occurrence": "visit_start_date",
    "condition_occurrence": "condition_start_date",
    "measurement": "measurement_date",
    "observation": "observation_date",
    "drug_exposure": "drug_exposure_start_date",
    "procedure_occurrence": "procedure_date",
    "image_occurrence": "image_occurrence_date",
}
_WIDTH, _HEIGHT = 640, 160
_MOST_BARS = 40


def report(found: Sequence[Outcome], folder: Path, today: date) -> str:
    """The page.

    Args:
        found: what the checks found.
        folder: where the OMOP tables are.
        today: when.
    """
    parts = [f"<h1>Data quality</h1><p>{today.isoformat()}. Numbers of rows and persons; for this Trust alone."]
    parts.append(_summary(found))
    for category in CATEGORIES:
        rows = [outcome for outcome in found if outcome.check.category == category]
        if rows:
            shares = [(f"{o.check.table}: {o.words}", o.percent) for o in rows if o.failed]
            shares.sort(key=lambda pair: -pair[1])
            parts.append(f"<h2>{category.capitalize()}</h2>" + _shares(shares[:_MOST_BARS]) + _table(rows))
    parts.append("<h2>What there is</h2>")
    parts += [_years(folder, table, column) for table, column in _DATES.items()]
    parts.append(_births(folder))
    return page("Data quality", "\n".join(filter(None, parts)))


def bars(title: str, values: Sequence[tuple[str, float]]) -> str:
    """Upright bars."""
    top = max((value for _, value in values), default=0) or 1
    step = _WIDTH / max(len(values), 1)
    drawn = []
    for at, (name, value) in enumerate(values):
        height = (_HEIGHT - 30) * value / top
        place = f"x={at * step:.1f} y={_HEIGHT - 20 - height:.1f} width={max(step - 2, 1):.1f} height={height:.1f}"
        drawn.append(f"<rect {place} fill=#005eb8><title>{html.escape(name)}: {value:g}</title></rect>")
        if at in {0, len(values) - 1} or len(values) <= 12:
            drawn.append(f"<text x={at * step:.1f} y={_HEIGHT - 5} font-size=11>{html.escape(name)}</text>")
    drawn.append(f"<text x=0 y=12 font-size=11>{top:g}</text>")
    label = html.escape(f"{title}: " + ", ".join(f"{name} {value:g}" for name, value in values))
    picture = f'<svg role=img aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%">{"".join(drawn)}</svg>'
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{picture}</figure>"


def _summary(found: Sequence[Outcome]) -> str:
    rows = []
    for category in CATEGORIES:
        these = [outcome for outcome in found if outcome.check.category == category]
        failed = sum(not outcome.passed for outcome in these)
        rows.append(f"<tr><td>{category}<td>{len(these)}<td>{len(these) - failed}<td>{failed}")
    head = "<tr><th scope=col>category<th scope=col>checks<th scope=col>passed<th scope=col>failed"
    return f"<table><caption>Checks</caption>{head}{''.join(rows)}</table>"


def _table(found: Sequence[Outcome]) -> str:
    rows = []
    for outcome in sorted(found, key=lambda one: (one.passed, -one.percent, one.check.table)):
        mark = "<td class=pass>passed" if outcome.passed else "<td class=fail>failed"
        share = f"<td>{outcome.failed} of {outcome.rows}<td>{outcome.percent:.1f} %<td>{outcome.check.threshold:g} %"
        rows.append(f"<tr><td>{html.escape(outcome.check.table)}<td>{html.escape(outcome.words)}{share}{mark}")
    names = ("table", "check", "rows that fail it", "share", "allowed", "")
    head = "<tr>" + "".join(f"<th scope=col>{name}" for name in names)
    return f"<table>{head}{''.join(rows)}</table>"


def _shares(values: Sequence[tuple[str, float]]) -> str:
    """Bars that lie, one for each check that any row fails."""
    if not values:
        return ""
    drawn = []
    for at, (name, percent) in enumerate(values):
        drawn.append(f"<text x=0 y={at * 18 + 13} font-size=11>{html.escape(name)}</text>")
        drawn.append(f"<rect x=400 y={at * 18 + 3} width={percent * 1.8:.1f} height=12 fill=#d5281b></rect>")
        drawn.append(f"<text x={405 + percent * 1.8:.1f} y={at * 18 + 13} font-size=11>{percent:.1f} %</text>")
    label = html.escape("Rows that fail: " + ", ".join(f"{name} {percent:.1f} %" for name, percent in values))
    height = 18 * len(values) + 4
    picture = f'<svg role=img aria-label="{label}" viewBox="0 0 {_WIDTH} {height}" width="100%">{"".join(drawn)}</svg>'
    return f"<figure><figcaption>Rows that fail a check</figcaption>{picture}</figure>"


def _years(folder: Path, table: str, column: str) -> str:
    path = folder / f"{table}.parquet"
    if not path.exists() or column not in pl.scan_parquet(path).collect_schema():
        return ""
    year = pl.col(column).cast(pl.Date, strict=False).dt.year().alias("year")
    counted = pl.scan_parquet(path).select(year).drop_nulls().group_by("year").len().sort("year").collect()
    return (
        bars(f"{table}: rows by year", [(str(y), n) for y, n in counted.iter_rows()][-_MOST_BARS:])
        if len(counted)
        else ""
    )


def _births(folder: Path) -> str:
    path = folder / "person.parquet"
    if not path.exists():
        return ""
    decade = (pl.col("year_of_birth") // 10 * 10).alias("decade")
    counted = pl.scan_parquet(path).select(decade).drop_nulls().group_by("decade").len().sort("decade").collect()
    return bars("person: by decade of birth", [(f"{d}s", n) for d, n in counted.iter_rows()]) if len(counted) else ""
