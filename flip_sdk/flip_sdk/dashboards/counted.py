"""Who is in a cohort: about how many at each Trust, as far as the noise lets it be told."""

from __future__ import annotations

import math

from flip_sdk.contract.api import JobResult
from flip_sdk.dashboards.charts import INTERVAL
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.naming import Names, group_of, named
from flip_sdk.dashboards.pictures import SERIES, Picture, canvas, label_rows, picture, words_only
from flip_sdk.dashboards.words import Parts, Words
from flip_sdk.mechanisms.floors import ROUNDING

_BEYOND = 0.05
"""Of 100 intervals, so many in a hundred miss the true number."""


def cohorts(results: Results, names: Names | None = None) -> Words:
    """Whom the counts and answers on the page are about: a paragraph for each cohort.

    Args:
        results: of the page.
        names: of concepts that the rules name, by number.
    """
    about: dict[str, list[str]] = {}
    names = named(results, names)
    for result in (*results.of("count"), *results.of("statistics")):
        about.setdefault(group_of(result, names), []).append(result.job_id)
    if not about:
        return Words("No count and no statistics are among the published results.")
    return Words(*(f"{words} (Job{'s' if len(jobs) > 1 else ''} {', '.join(jobs)}.)" for words, jobs in about.items()))


def persons(results: Results, names: Names | None = None) -> Picture | Parts:
    """About how many persons each count found at each Trust, with 95 % intervals for noise and rounding together."""
    counted = results.of("count")
    if not counted:
        return words_only("No count is among the published results.")
    names = named(results, names)
    return Parts(*(_drawn(result, names) for result in counted))


def margin(epsilon: float) -> float:
    """Persons to each side of a count at a Trust: 95 of 100 such intervals hold the true number.

    Args:
        epsilon: of the count, whose noise is discrete Laplace of scale 1/ε; it is rounded afterwards.
    """
    # P(|noise| > m) is 2 exp(-epsilon (m + 1)) / (1 + exp(-epsilon))
    noise = math.ceil(math.log(2 / (_BEYOND * (1 + math.exp(-epsilon)))) / epsilon) - 1
    return max(noise, 0) + ROUNDING / 2


def _drawn(result: JobResult, names: Names) -> Picture:
    told = {trust: float(number) for trust, number in result.counts.items() if number is not None}
    withheld = [f"{t} (under its floor, or too noisy)" for t, number in result.counts.items() if number is None]
    withheld += [f"{one.trust} (did not take part)" for one in result.refusals]
    kept_back = f"Not told: {', '.join(withheld)}." if withheld else ""
    if not told:
        return words_only(f"Job {result.job_id} found too few persons everywhere to tell a number. {kept_back}")
    rows = [(trust, number, margin(result.epsilon)) for trust, number in told.items()]
    if len(told) > 1:
        rows.append(("all together", sum(told.values()), INTERVAL * _deviation(result.epsilon) * math.sqrt(len(told))))
    figure, (axes,) = canvas(1, 1, 7.5, 1.1 + 0.45 * len(rows))
    for place, (name, number, error) in enumerate(rows):
        colour, marker = SERIES[1] if name not in told else SERIES[0]
        axes.plot([max(number - error, 0.0), number + error], [place, place], color=colour, linewidth=2)
        axes.plot([number], [place], color=colour, marker=marker, markersize=8)
        axes.annotate(f"  {number:,.0f}", (number + error, place), va="center", fontsize=11)
    label_rows(axes, [name for name, _, _ in rows])
    axes.margins(x=0.12)
    axes.set_xlim(left=0.0)
    axes.set_xlabel("persons, about")
    caption = (
        f"{group_of(result, names)} Numbers carry noise (ε {result.epsilon:g} at each Trust) and are rounded to "
        f"{ROUNDING}; lines are 95 % intervals for both. {kept_back}"
    )
    spoken = "; ".join(f"{name} {number:,.0f} give or take {error:,.0f}" for name, number, error in rows)
    return picture(figure, f"Persons: {spoken}.", caption.strip())


def _deviation(epsilon: float) -> float:
    """Standard deviation of a count at a Trust: discrete Laplace noise, and rounding."""
    left = math.exp(-epsilon)
    return math.sqrt(2 * left / (1 - left) ** 2 + ROUNDING**2 / 12)
