"""What was asked about a cohort: groups of persons drawn, other answers as tables. Errors include the noise."""

from __future__ import annotations

from itertools import groupby

from flip_sdk.answers import answers
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.statistics import CrossTable, Description, Estimate, Histogram
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.naming import Names, group_of, named
from flip_sdk.dashboards.pictures import SERIES, Picture, canvas, label_rows, picture, words_only
from flip_sdk.dashboards.words import Parts, Shown, Words

_ALL = "all"
_TOTAL = ("total",)
_MOST_DRAWN = 40
"""Rows of one drawing: more are a table."""


def description(results: Results, names: Names | None = None) -> Parts | Picture:
    """Every answer on the page: persons by group or value as a drawing of all Trusts together, the others as tables."""
    asked = results.of("statistics")
    if not asked:
        return words_only("No statistics are among the published results.")
    names = named(results, names)
    return Parts(*(part for result in asked for part in _told(result, names)))


def _told(result: JobResult, names: Names) -> list[Shown]:
    spec = result.spec
    if not isinstance(spec, StatisticsSpec):
        return [Words(f"What job {result.job_id} asked was not kept, so its answer cannot be told.")]
    whom = group_of(result, names)
    told = [one for one in result.statistics if one.trust == _ALL and one.quantity == "persons" and one.of != _TOTAL]
    if not isinstance(spec.question, CrossTable | Description | Histogram) or not 0 < len(told) <= _MOST_DRAWN:
        return [answers(result, spec), Words(f"Of whom: {whom}")]
    if isinstance(spec.question, Histogram):
        title = f"persons by {spec.question.measurement.name or 'value'}"
        return [_bars([(_span(one), one) for one in told], title, whom, result.epsilon)]
    if isinstance(spec.question, CrossTable):
        title = " and ".join(category.kind.replace("_", " ") for category in spec.question.by)
        return [_bars([(", ".join(one.of), one) for one in told], f"persons by {title}", whom, result.epsilon)]
    drawn = []
    for group, levels in groupby(told, key=lambda one: one.of[0]):
        rows = [(one.of[-1], one) for one in levels]
        drawn.append(_bars(rows, f"persons by {group}", whom, result.epsilon))
    return list(drawn)


def _bars(rows: list[tuple[str, Estimate]], title: str, whom: str, epsilon: float) -> Picture:
    figure, (axes,) = canvas(1, 1, 7.5, 1.0 + 0.36 * len(rows))
    colour, _ = SERIES[0]
    for place, (_, one) in enumerate(rows):
        if one.estimate is None:
            axes.annotate(" kept back", (0.0, place), va="center", fontsize=11)
            continue
        axes.barh([place], [max(one.estimate, 0.0)], color=colour, height=0.6, alpha=0.55)
        if one.low is not None and one.high is not None:
            axes.plot([max(one.low, 0.0), max(one.high, 0.0)], [place, place], color=colour, linewidth=2)
    label_rows(axes, [name for name, _ in rows])
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"{title} (all Trusts together, about)")
    small = [name for name, one in rows if one.estimate is None]
    caption = f"{whom} Numbers carry noise (ε {epsilon:g} at each Trust); lines are 95 % intervals for it."
    caption += f" Kept back, too few: {', '.join(small)}." if small else ""
    told = "; ".join(f"{name} {_number(one)}" for name, one in rows)
    return picture(figure, f"{title[0].upper()}{title[1:]}: {told}.", caption)


def _number(one: Estimate) -> str:
    if one.estimate is None:
        return "kept back"
    error = "" if one.high is None else f" give or take {one.high - one.estimate:,.0f}"
    return f"about {max(one.estimate, 0.0):,.0f}{error}"


def _span(one: Estimate) -> str:
    """A bin; persons outside of all bins are told in a word."""
    return ", ".join(one.of) if one.at is None or one.to is None else f"{one.at:g} to {one.to:g}"
