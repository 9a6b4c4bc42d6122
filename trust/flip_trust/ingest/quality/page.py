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
            found_any = sorted((o for o in rows if o.failed), key=lambda o: (o.passed, -o.percent))
            parts.append(f"<h2>{category.capitalize()}</h2>" + _shares(found_any[:_MOST_BARS]) + _tables(rows))
    plots = [_years(folder, table, column) for table, column in _DATES.items()]
    plots.append(_births(folder))
    parts.append(f"<h2>What there is</h2><div class=plots>{''.join(filter(None, plots))}</div>")
    return page("Data quality", "\n".join(filter(None, parts)))


def bars(title: str, values: Sequence[tuple[str, float]]) -> str:
    """Upright bars."""
    top = max((value for _, value in values), default=0) or 1
    step = _WIDTH / max(len(values), 1)
    drawn = []
    for at, (name, value) in enumerate(values):
        height = (_HEIGHT - 44) * value / top
        place = f"x={at * step:.1f} y={_HEIGHT - 22 - height:.1f} width={max(step - 2, 1):.1f} height={height:.1f}"
        drawn.append(f"<rect {place} fill=#005eb8><title>{html.escape(name)}: {value:g}</title></rect>")
        if at in {0, len(values) - 1} or len(values) <= 12:
            drawn.append(f"<text x={at * step:.1f} y={_HEIGHT - 5} font-size=15>{html.escape(name)}</text>")
    drawn.append(f"<text x=0 y=13 font-size=15>{top:g}</text>")
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


def _tables(found: Sequence[Outcome]) -> str:
    """Who failed is seen at once; what passed is folded away."""
    failed = [outcome for outcome in found if not outcome.passed]
    passed = [outcome for outcome in found if outcome.passed]
    parts = [_table(failed)] if failed else ["<p class=pass>Every check passed."]
    if passed:
        words = f"{len(passed)} check{'' if len(passed) == 1 else 's'} passed"
        parts.append(f"<details><summary>{words}</summary>{_table(passed)}</details>")
    return "".join(parts)


def _table(found: Sequence[Outcome]) -> str:
    rows = []
    for outcome in sorted(found, key=lambda one: (one.passed, -one.percent, one.check.table)):
        mark = "<td class=pass>passed" if outcome.passed else "<td class=fail>failed"
        share = f"<td>{outcome.failed} of {outcome.rows}<td>{outcome.percent:.1f} %<td>{outcome.check.threshold:g} %"
        rows.append(f"<tr><td>{html.escape(outcome.check.table)}<td>{html.escape(outcome.words)}{share}{mark}")
    names = ("table", "check", "rows that fail it", "share", "allowed", "")
    head = "<tr>" + "".join(f"<th scope=col>{name}" for name in names)
    return f"<table>{head}{''.join(rows)}</table>"


def _shares(found: Sequence[Outcome]) -> str:
    """Bars that lie, one for each check that any row fails; a mark where more would fail the check."""
    if not found:
        return ""
    drawn, begin, step = [], 560, 2.7
    for at, one in enumerate(found):
        colour, y = ("#768692" if one.passed else "#d5281b"), at * 20
        name, end = html.escape(f"{one.check.table}: {one.words}"), begin + one.percent * step
        mark = begin + one.check.threshold * step
        drawn.append(f"<text x={begin - 8} y={y + 14} font-size=12 text-anchor=end>{name}</text>")
        drawn.append(f"<rect x={begin} y={y + 4} width={one.percent * step:.1f} height=12 fill={colour}></rect>")
        drawn.append(f"<path d='M{mark:.1f} {y + 1}v18' stroke=#212b32></path>")
        drawn.append(f"<text x={max(end, mark) + 5:.1f} y={y + 14} font-size=12>{one.percent:.1f} %</text>")
    words = (f"{one.check.table} {one.words} {one.percent:.1f} %" for one in found)
    label = html.escape("Rows that fail: " + ", ".join(words))
    height = 20 * len(found) + 4
    picture = f'<svg role=img aria-label="{label}" viewBox="0 0 900 {height}" width="100%">{"".join(drawn)}</svg>'
    caption = "Rows that fail a check: red, where they are more than the mark allows"
    return f"<figure><figcaption>{caption}</figcaption>{picture}</figure>"


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
