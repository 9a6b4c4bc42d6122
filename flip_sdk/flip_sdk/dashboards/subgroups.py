"""One model, scored on several groups of persons: who it serves as well as others, and what is too noisy to say."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from flip_sdk.contract.api import JobResult, TrustFigures
from flip_sdk.contract.jobs import EvaluateSpec
from flip_sdk.dashboards.charts import dots
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.naming import Names, group_of, named, rules_of
from flip_sdk.dashboards.pictures import GREY, Picture, canvas, label_rows, picture, words_only
from flip_sdk.dashboards.words import Words

if TYPE_CHECKING:
    from flip_sdk.frames import Frame

_ALL = "all"
_SURE = 0.95
_CALLED = {"accuracy": "accuracy", "auc": "AUC"}
NOTHING = "No model on this page was scored on two groups or more."


@dataclass(frozen=True)
class Group:
    """One evaluation of the model.

    Attributes:
        name: the persons, in words.
        rules: how many things their cohort asks for.
        figures: over all Trusts; None where too few could be told.
    """

    name: str
    rules: int
    figures: TrustFigures | None


def groups(results: Results, names: Names | None = None) -> list[Group]:
    """The groups that the model with the most evaluations was scored on, the widest first.

    Of several evaluations of one group the last on the page counts.
    """
    names = named(results, names)
    by_model: dict[str, dict[str, Group]] = {}
    for result in results.of("evaluate"):
        if isinstance(result.spec, EvaluateSpec):
            name = group_of(result, names, part=False)
            by_model.setdefault(result.spec.model.digest(), {})[name] = Group(name, rules_of(result), _figures(result))
    most = max(by_model.values(), key=len, default={})
    return sorted(most.values(), key=lambda one: (one.rules, one.name))


def subgroups(results: Results, names: Names | None = None) -> Picture:
    """Accuracy and AUC of each group, with 95 % intervals that include the noise, against its own majority."""
    found = groups(results, names)
    shown = [(one.name, one.figures) for one in found if one.figures is not None]
    if len(found) < 2 or not shown:
        return words_only(NOTHING)
    several = any(figures.classes for _, figures in shown)
    figure, (left, right) = canvas(1, 2, 9.0, 1.3 + 0.6 * len(shown))
    # the widest group is drawn as what is of all, the others as parts
    drawn = [
        figures if place == 0 else figures.model_copy(update={"trust": ""}) for place, (_, figures) in enumerate(shown)
    ]
    dots(left, drawn, "accuracy")
    dots(right, drawn, "balanced_accuracy" if several else "auc")
    for place, (_, figures) in enumerate(shown):
        if figures.majority is not None:
            left.plot(
                [figures.majority] * 2, [place - 0.3, place + 0.3], color=GREY, linewidth=3, linestyle=(0, (1, 0.6))
            )
    label_rows(left, [_wrapped(name) for name, _ in shown])
    left.set_xlabel("accuracy (dashed bar: always\nanswering the group's majority)")
    right.set_xlabel("mean recall of the classes" if several else "AUC (0.5: guessing)")
    silent = [one.name for one in found if one.figures is None]
    caption = "Over all Trusts, on persons set aside. Lines are 95 % intervals with the protecting noise included."
    caption += f" Too few persons to tell: {' '.join(silent)}" if silent else ""
    return picture(figure, " ".join(_spoken(name, figures) for name, figures in shown), caption)


def differences(results: Results, names: Names | None = None) -> Frame | Words:
    """Each group beside the widest one: how much better or worse, within which interval, in a word.

    Errors of both are combined as if the groups had nobody in common, which makes intervals of overlapping groups too
    wide rather than too narrow. They are widened for the number of comparisons (Bonferroni), so that all of them
    hold together in 95 of 100 pages.
    """
    from flip_sdk.frames import frame

    told = [one for one in groups(results, names) if one.figures is not None]
    if len(told) < 2:
        return Words(NOTHING)
    schema = {"group": str, "of": str, **dict.fromkeys(("difference", "low", "high"), float), "in words": str}
    return frame(_rows(told), schema, f"Beside “{told[0].name}”")


def served(results: Results, names: Names | None = None) -> Words:
    """What the comparison says, in a sentence or two."""
    found = groups(results, names)
    told = [one for one in found if one.figures is not None]
    if len(told) < 2:
        return Words(NOTHING)
    worse = list(dict.fromkeys(str(row["group"]) for row in _rows(told) if row["in words"] == "clearly worse"))
    open_ = sum(1 for one in found if one.figures is None)
    words = [
        f"The model was scored on {len(found)} groups, and each is compared with: {told[0].name}",
        f"It does clearly worse for: {' '.join(worse)}" if worse
        else "For none of them it does clearly worse. That is no proof that it serves all alike: a difference that is "
        "smaller than the intervals below would not be seen.",
    ]  # fmt: skip
    if open_:
        words.append(f"Of {open_} group{'s' if open_ > 1 else ''} there were too few persons to say anything.")
    return Words(*words)


def _figures(result: JobResult) -> TrustFigures | None:
    everyone = next((f for f in result.figures if f.trust == _ALL), None)
    return everyone if everyone and not everyone.suppressed and everyone.accuracy is not None else None


def _rows(told: list[Group]) -> list[dict[str, object]]:
    """Every group but the first beside it, by each figure that both have."""
    first, others = told[0], told[1:]
    reach = NormalDist().inv_cdf(1 - (1 - _SURE) / 2 / (len(_CALLED) * len(others)))
    return [row for one in others for name in _CALLED if (row := _compared(one, first, name, reach))]


def _compared(one: Group, first: Group, name: str, reach: float) -> dict[str, object] | None:
    values = [getattr(group.figures, name) for group in (one, first)]
    errors = [getattr(group.figures, f"{name}_error") for group in (one, first)]
    if None in values or None in errors:
        return None
    difference = values[0] - values[1]
    error = reach * (errors[0] ** 2 + errors[1] ** 2) ** 0.5
    low, high = difference - error, difference + error
    words = "clearly worse" if high < 0 else "clearly better" if low > 0 else "no clear difference"
    numbers = {"difference": difference, "low": low, "high": high}
    return {"group": one.name, "of": _CALLED[name], **{k: round(v, 3) for k, v in numbers.items()}, "in words": words}


def _spoken(name: str, one: TrustFigures) -> str:
    auc = "" if one.auc is None else f", AUC {one.auc:.3f}"
    return f"{name} Accuracy {one.accuracy:.3f}{auc}."


def _wrapped(name: str) -> str:
    from textwrap import wrap

    return "\n".join(wrap(name, 34))
