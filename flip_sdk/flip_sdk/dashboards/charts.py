"""The pictures of the training report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flip_sdk.contract.api import JobResult, TrustFigures
from flip_sdk.curves import curve_of, meaning_of, words_for
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.naming import widest
from flip_sdk.dashboards.pictures import GREY, INK, SERIES, Picture, canvas, label_rows, picture, words_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INTERVAL = 1.96
"""Standard errors to each side of an estimate: 95 of 100 such intervals hold the true value."""
_ALL = "all"
_LABELS = {"count": "counts", "train": "training", "evaluate": "evaluation", "statistics": "statistics"}


def learning_curves(results: Results) -> Picture:
    """How the training went, round by round, by a number that the released sums already give."""
    drawn = [(r, name) for r in results.of("train") if (name := _curve_name(r))]
    if not drawn:
        return words_only("No training with a recorded course is among the published results.")
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = canvas(1, 1, 7.5, 3.2)
    told = []
    for (result, name), (colour, marker) in zip(drawn, SERIES * len(drawn), strict=False):
        rounds = [row["round"] for row in result.history if name in row]
        values = [row[name] for row in result.history if name in row]
        axes.plot(rounds, values, color=colour, marker=marker, markersize=4, label=f"job {result.job_id}")
        told.append(
            f"{words_for(name)} {values[0]:.3g} in round {rounds[0]:.0f} to {values[-1]:.3g} in {rounds[-1]:.0f}"
        )
    axes.set_xlabel("round")
    axes.set_ylabel(words_for(drawn[0][1]), fontsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(drawn) > 1:
        axes.legend(frameon=False)
    caption = (
        f"One point a round. {meaning_of(drawn[0][1])} The curve is made of what the Trusts released in the rounds "
        "anyway, so looking at it costs no privacy."
    )
    return picture(figure, f"Course of the training: {'; '.join(told)}.", caption)


def quality_by_trust(results: Results) -> Picture:
    """Accuracy and AUC per Trust and together, with 95 % intervals that include the noise, against the majority."""
    result = widest(r for r in results.of("evaluate") if any(not f.suppressed for f in r.figures))
    if result is None:
        return words_only("No evaluation is among the published results.")
    shown = sorted((f for f in result.figures if not f.suppressed), key=lambda f: (f.trust == _ALL, f.trust))
    figure, (left, right) = canvas(1, 2, 9.0, 1.1 + 0.45 * len(shown))
    dots(left, shown, "accuracy")
    several = any(f.classes for f in shown)
    dots(right, shown, "balanced_accuracy" if several else "auc")
    places = range(len(shown))
    for place, one in zip(places, shown, strict=True):
        if one.majority is not None:
            left.plot([one.majority] * 2, [place - 0.3, place + 0.3], color=GREY, linewidth=3, linestyle=(0, (1, 0.6)))
    label_rows(left, ["all together" if f.trust == _ALL else f.trust for f in shown])
    left.set_xlabel("accuracy (dashed bar: always answering the majority)")
    right.set_xlabel("mean recall of the classes" if several else "AUC (0.5: guessing)")
    hidden = [f.trust for f in result.figures if f.suppressed]
    caption = (
        "On persons the model was not trained on. Lines are 95 % intervals with the protecting noise included. "
        "A model is of use where its point lies clearly right of the dashed bar."
    )
    caption += f" Kept back, too few persons: {', '.join(hidden)}." if hidden else ""
    what = "mean recall" if several else "AUC"
    return picture(figure, f"Accuracy and {what}. " + " ".join(_spoken(f) for f in shown), caption)


def privacy_spent(results: Results) -> Picture:
    """ε of each job at each Trust, side by side."""
    if not results:
        return words_only("No result is published with this page yet.")
    trusts = results.trusts
    figure, (axes,) = canvas(1, 1, 7.5, 1.2 + 0.45 * len(trusts))
    left = dict.fromkeys(trusts, 0.0)
    hatches = ("", "//", "..", "xx")
    for (kind, words), (colour, _), hatch in zip(_LABELS.items(), SERIES, hatches, strict=False):
        cost = {t: sum(r.epsilon for r in results.of(kind) if t in r.trusts) for t in trusts}
        if any(cost.values()):
            axes.barh(
                trusts,
                [cost[t] for t in trusts],
                left=[left[t] for t in trusts],
                color=colour,
                hatch=hatch,
                edgecolor="white",
                height=0.6,
                label=words,
            )
            left = {t: left[t] + cost[t] for t in trusts}
    for place, trust in enumerate(trusts):
        axes.annotate(f" {left[trust]:.3g}", (left[trust], place), va="center", color=INK)
    axes.invert_yaxis()
    axes.set_xlabel("ε asked for (unit: person)")
    axes.margins(x=0.12)
    axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    alt = "Privacy cost. " + " ".join(f"{trust}: ε {total:.3g} in all." for trust, total in left.items())
    caption = (
        "What the jobs on this page asked for, added up. A Trust's own ledger composes them by a bound that is never "
        "too low: at times a little above the sum of a few jobs, far below that of many; project.budget() shows it."
    )
    return picture(figure, alt, caption)


def dots(axes: Axes, shown: list[TrustFigures], name: str) -> None:
    """Draw a share of each row, with its 95 % interval; what is over all Trusts stands out."""
    for place, one in enumerate(shown):
        value = getattr(one, name)
        if value is None:
            axes.annotate("not known", (0.5, place), va="center", ha="center", color=GREY)
            continue
        error = INTERVAL * (getattr(one, f"{name}_error") or 0.0)
        colour, marker = SERIES[1] if one.trust == _ALL else SERIES[0]
        low, high = max(value - error, 0.0), min(value + error, 1.0)
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot([value], [place], color=colour, marker=marker, markersize=8)
    axes.set_xlim(0.0, 1.02)
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "0.25", "0.5", "0.75", "1"])


def _curve_name(result: JobResult) -> str:
    return curve_of(name for row in result.history for name in row)


def _spoken(one: TrustFigures) -> str:
    name = "All together" if one.trust == _ALL else one.trust
    parts = [
        f"{words} {value:.3f}"
        for words, value in (
            ("accuracy", one.accuracy),
            ("AUC", one.auc),
            ("mean recall of the classes", one.balanced_accuracy),
            ("majority", one.majority),
        )
        if value is not None
    ]
    return f"{name}: {', '.join(parts) or 'nothing known'}."
