"""The rules of a statistics job: every one that is broken, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from flip_sdk.contract.features import Feature
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.statistics import (
    MOST_CELLS,
    MOST_COEFFICIENTS,
    AgeBands,
    AnyQuestion,
    ConditionRecorded,
    CoxRegression,
    FollowUp,
    LinearRegression,
    LogisticRegression,
    Mean,
    Predictors,
    Quantiles,
    SexIn,
    categories_of,
    follow_up_of,
    is_pure,
    known_levels,
    measurements_of,
    size_of,
)
from flip_sdk.contract.violations import Violation

_WIDEST = 1e15


def check_statistics(spec: StatisticsSpec) -> list[Violation]:
    """Every rule that a statistics job breaks."""
    question = spec.question
    found = [*_delta(spec), *_size(question), *_measurements(measurements_of(question))]
    for i, category in enumerate(categories_of(question)):
        found += _category(category, f"question.categories[{i}]")
    found += _repeated_categories(categories_of(question))
    if isinstance(question, LinearRegression | LogisticRegression | CoxRegression):
        found += _predictors(question.predictors)
    if isinstance(question, LogisticRegression):
        found += _outcome(question)
    if isinstance(question, Quantiles) and list(question.probabilities) != sorted(set(question.probabilities)):
        found.append(
            _violation("probabilities_not_rising", "probabilities", "Probabilities have to rise.", "Sort them.")
        )
    follow_up = follow_up_of(question)
    return found + (list(_follow_up(follow_up)) if follow_up else [])


def _violation(rule: str, where: str, message: str, mend: str) -> Violation:
    return Violation(rule=rule, where=f"question.{where}", message=message, mend=mend)


def _delta(spec: StatisticsSpec) -> Iterator[Violation]:
    if is_pure(spec.question) and spec.delta > 0:
        message = "Cells carry discrete Laplace noise, which has no use for a delta."
        yield Violation(rule="delta_without_use", where="delta", message=message, mend="Leave it at 0.")
    if not is_pure(spec.question) and not spec.delta > 0:
        message = "Sums carry Gaussian noise, which needs a delta above 0."
        yield Violation(rule="delta_missing", where="delta", message=message, mend="Give the project's, such as 1e-5.")


def _size(question: AnyQuestion) -> Iterator[Violation]:
    size = size_of(question)
    if isinstance(question, LinearRegression | LogisticRegression | CoxRegression):
        if size > MOST_COEFFICIENTS:
            message = f"{size} coefficients are more than {MOST_COEFFICIENTS}."
            yield _violation("too_many_coefficients", "predictors", message, "Use fewer predictors or intervals.")
    elif not isinstance(question, Mean) and size > MOST_CELLS:
        message = f"{size} cells are more than {MOST_CELLS}."
        yield _violation("too_many_cells", "", message, "Use fewer categories, levels, bins or intervals.")


def _measurements(features: Sequence[Feature]) -> Iterator[Violation]:
    for i, feature in enumerate(features):
        if not feature.low < feature.high:
            message = f"low {feature.low} is not below high {feature.high}."
            mend = "Give public bounds of the measurement, low below high; the catalogue suggests some."
            yield _violation("empty_bounds", f"measurements[{i}]", message, mend)
        elif max(-feature.low, feature.high) > _WIDEST:
            message = "The bounds are too wide to reckon with."
            yield _violation("bounds_too_wide", f"measurements[{i}]", message, "Give the measurement's own range.")
        if feature.window is not None or feature.statistic != "latest":
            message = "A question is about the latest value ever recorded: it has no window and no other statistic."
            mend = "Leave the measurement's window and statistic out."
            yield _violation("latest_alone", f"measurements[{i}]", message, mend)
    for concept_id, times in Counter(f.concept_id for f in features).items():
        if times > 1:
            message = f"concept {concept_id} is used {times} times."
            yield _violation("repeated_feature", "measurements", message, "Use each concept once.")


def _category(category: SexIn | ConditionRecorded | AgeBands, where: str) -> Iterator[Violation]:
    match category:
        case SexIn():
            if category.names and len(category.names) != len(category.concept_ids):
                message = f"{len(category.names)} names for {len(category.concept_ids)} levels."
                yield Violation(rule="names_do_not_fit", where=where, message=message, mend="Name each level once.")
            if len(set(category.levels)) < len(category.levels) or _repeats(category.concept_ids):
                yield Violation(rule="repeated_level", where=where, message="A level is named twice.", mend="Once.")
        case AgeBands():
            if list(category.starts) != sorted(set(category.starts)):
                message = "The bands' starts have to rise."
                yield Violation(rule="bands_not_rising", where=where, message=message, mend="Sort them.")
        case ConditionRecorded():
            pass


def _repeated_categories(categories: Sequence[SexIn | ConditionRecorded | AgeBands]) -> Iterator[Violation]:
    asked = [category if isinstance(category, ConditionRecorded) else category.kind for category in categories]
    if _repeats([one if isinstance(one, str) else one.digest() for one in asked]):
        message = "The same category is used twice."
        yield _violation("repeated_category", "categories", message, "Use each once.")


def _predictors(predictors: Predictors) -> Iterator[Violation]:
    if not predictors.measurements and not predictors.categories:
        message = "There is nothing to explain by."
        yield _violation("no_predictor", "predictors", message, "Give measurements or categories.")
    for i, category in enumerate(predictors.categories):
        if len(known_levels(category)) < 2:
            message = "With one level known, there is nothing to compare."
            yield _violation("one_level", f"categories[{i}]", message, "Name a second level, or leave it out.")


def _outcome(question: LogisticRegression) -> Iterator[Violation]:
    if question.outcome.window is not None:
        message = "A question's outcome is a condition ever recorded: it has no window."
        yield _violation("outcome_without_window", "outcome", message, "Leave the window out; or train a model.")
    outcome = set(question.outcome.condition_concept_ids)
    conditions = [c for c in question.predictors.categories if isinstance(c, ConditionRecorded)]
    if any(outcome & set(condition.concept_ids) for condition in conditions):
        message = "A condition of the outcome is among the predictors."
        yield _violation("outcome_explains_itself", "predictors", message, "Leave it out there.")


def _follow_up(follow_up: FollowUp) -> Iterator[Violation]:
    if follow_up.intervals > follow_up.maximum_days:
        message = f"{follow_up.intervals} intervals in {follow_up.maximum_days} days are less than a day each."
        yield _violation("intervals_too_short", "follow_up", message, "Use fewer intervals.")
    if set(follow_up.start) & set(follow_up.event):
        message = "A condition both starts the follow-up and ends it."
        yield _violation("start_is_event", "follow_up", message, "Take it out of one of them.")


def _repeats(values: Sequence[object]) -> bool:
    return len(set(values)) < len(values)
