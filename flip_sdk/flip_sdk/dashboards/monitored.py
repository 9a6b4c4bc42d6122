"""One model, scored on the same persons' description again and again: does it still hold?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist
from typing import TYPE_CHECKING

from flip_sdk.contract.api import TrustFigures
from flip_sdk.contract.jobs import EvaluateSpec
from flip_sdk.dashboards.charts import INTERVAL
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.naming import Names, group_of, named
from flip_sdk.dashboards.pictures import GREY, SERIES, Picture, canvas, picture, words_only
from flip_sdk.dashboards.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from flip_sdk.frames import Frame

_ALL = "all"
_SURE = 0.95
NOTHING = "No model on this page was scored twice, on the same description of persons and at times that are known."
_DAY = "%d %b %Y"


@dataclass(frozen=True)
class Look:
    """One evaluation of the model.

    Attributes:
        at: when it ended.
        job: its job.
        figures: over all Trusts.
    """

    at: datetime
    job: str
    figures: TrustFigures

    @property
    def day(self) -> str:
        """The day, in words."""
        return self.at.strftime(_DAY).lstrip("0")


def looks(results: Results) -> list[Look]:
    """The evaluations of the model and cohort that were scored most often, the earliest first."""
    found: dict[tuple[str, str], list[Look]] = {}
    for result in results.of("evaluate"):
        everyone = next((f for f in result.figures if f.trust == _ALL and not f.suppressed), None)
        if isinstance(result.spec, EvaluateSpec) and result.completed_at is not None and everyone is not None:
            key = (result.spec.model.digest(), result.spec.cohort.digest() + result.spec.part)
            found.setdefault(key, []).append(Look(result.completed_at, result.job_id, everyone))
    most: list[Look] = max(found.values(), key=len, default=[])
    return sorted(most, key=lambda one: (one.at, one.job))


def over_time(results: Results) -> Picture:
    """Accuracy, AUC and the calibration's slope at each time, with 95 % intervals that include the noise."""
    shown = looks(results)
    if len(shown) < 2:
        return words_only(NOTHING)
    drawn = [(label, name) for label, name in _FIGURES if all(_value(one, name) is not None for one in shown)]
    figure, axes = canvas(1, len(drawn), 3.2 * len(drawn), 3.2, alike=False)
    for axis, (label, name) in zip(axes, drawn, strict=True):
        _line(axis, shown, name)
        axis.set_title(label, fontsize=11)
    told = "; ".join(
        f"{label} {', '.join(f'{_value(one, name)[0]:.3f} on {one.day}' for one in shown)}"  # type: ignore[index]
        for label, name in drawn
    )
    caption = (
        "One point a time, over all Trusts. Lines are 95 % intervals with the protecting noise included; the "
        "dashed line is the first time. A slope below 1 says that probabilities are too extreme."
    )
    return picture(figure, f"{told}.", caption)


def volumes(results: Results) -> Frame | Words:
    """About how many persons each time was about, and how common the more frequent answer was among them."""
    from flip_sdk.frames import frame

    shown = looks(results)
    if len(shown) < 2:
        return Words(NOTHING)
    rows = [
        {"day": one.day, "job": one.job, "persons": one.figures.persons, "majority": one.figures.majority}
        for one in shown
    ]
    schema = {"day": str, "job": str, "persons": float, "majority": float}
    return frame(rows, schema, "Whom it was scored on (noisy; majority: share of the more frequent answer)")


def holds(results: Results, names: Names | None = None) -> Words:
    """Whether the model still does as well as at the first time, in a sentence for what changed.

    Every later time is compared with the first. Intervals are widened for the number of comparisons (Bonferroni), so
    that in 95 of 100 pages no change is told where there is none.
    """
    shown = looks(results)
    if len(shown) < 2:
        return Words(NOTHING)
    first, last = shown[0], shown[-1]
    whom = next(
        group_of(result, named(results, names)) for result in results.of("evaluate") if result.job_id == first.job
    )
    changed = [words for one in shown[1:] if (words := _changes(first, one, len(shown) - 1))]
    told = f"The model was scored {len(shown)} times from {first.day} to {last.day}. Of whom: {whom}"
    if changed:
        return Words(
            told, *changed, "Look at what changed among the persons or in how records are made, before it is used on."
        )
    return Words(
        told,
        "It holds: no time is clearly different from the first. A change that is smaller than the intervals below "
        "would not be seen.",
    )


def _changes(first: Look, one: Look, times: int) -> str:
    reach = NormalDist().inv_cdf(1 - (1 - _SURE) / 2 / (times * len(_FIGURES)))
    found = []
    for label, name in _FIGURES:
        before, after = _value(first, name), _value(one, name)
        if before is None or after is None:
            continue
        change, error = after[0] - before[0], reach * (before[1] ** 2 + after[1] ** 2) ** 0.5
        if abs(change) > error:
            found.append(
                f"its {label} was {after[0]:.3f} after {before[0]:.3f} (a change of {change:+.3f} ± {error:.3f})"
            )
    return f"It changed: on {one.day} {', '.join(found)}." if found else ""


_FIGURES = (("accuracy", "accuracy"), ("AUC", "auc"), ("slope of the calibration", "slope"))


def _value(one: Look, name: str) -> tuple[float, float] | None:
    """A figure and its standard error."""
    holder = one.figures.calibration if name == "slope" else one.figures
    value, error = getattr(holder, name, None), getattr(holder, f"{name}_error", None)
    return None if value is None or error is None else (value, error)


def _line(axes: Axes, shown: list[Look], name: str) -> None:
    colour, marker = SERIES[0]
    values = [_value(one, name) or (0.0, 0.0) for one in shown]
    axes.axhline(values[0][0], color=GREY, linestyle="--", linewidth=1)
    for place, (value, error) in enumerate(values):
        axes.plot([place, place], [value - INTERVAL * error, value + INTERVAL * error], color=colour, linewidth=2)
    axes.plot(range(len(values)), [value for value, _ in values], color=colour, marker=marker, markersize=7)
    axes.set_xticks(range(len(shown)), [one.at.strftime("%d %b\n%Y").lstrip("0") for one in shown], fontsize=9)
    axes.margins(x=0.15)
