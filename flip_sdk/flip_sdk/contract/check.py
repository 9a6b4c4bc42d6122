"""The rules a job has to keep, beyond its schema: one pure function, the same in the notebook, the hub and the Trust.

It returns every violation at once, so that a researcher mends them all in one go.
"""

from __future__ import annotations

from collections import Counter

from flip_sdk.contract.check_circe import check_expression
from flip_sdk.contract.check_inputs import check_inputs
from flip_sdk.contract.check_statistics import check_statistics
from flip_sdk.contract.cohorts import AgeBetween, Cohort, MeasurementBetween
from flip_sdk.contract.jobs import (
    DPSGD,
    FEWEST_FOR_DISTRIBUTED,
    AnySpec,
    CountSpec,
    DistributedNoise,
    EvaluateSpec,
    FullBatch,
    Scaling,
    StatisticsSpec,
    SufficientStatistics,
    TrainSpec,
)
from flip_sdk.contract.violations import Violation

__all__ = ["Violation", "check"]


def check(spec: AnySpec) -> list[Violation]:
    """All rules that a JobSpec breaks; an empty list means that it may be submitted."""
    found = _check_cohort(spec.cohort) + _check_trusts(spec.trusts)
    match spec:
        case TrainSpec():
            found += check_inputs(spec) + _check_training(spec)
        case EvaluateSpec():
            found += check_inputs(spec) + _check_evaluation(spec)
        case StatisticsSpec():
            found += check_statistics(spec)
        case CountSpec():
            pass
    return found


def _check_cohort(cohort: Cohort) -> list[Violation]:
    expression = [] if cohort.expression is None else check_expression(cohort.expression)
    found = [found.model_copy(update={"where": f"cohort.expression.{found.where}"[:200]}) for found in expression]
    return found + [
        Violation(
            rule="empty_range",
            where=f"cohort.criteria[{i}]",
            message=f"low {criterion.low} is above high {criterion.high}, so nobody can be in this cohort.",
            mend="Swap them.",
        )
        for i, criterion in enumerate(cohort.criteria)
        if isinstance(criterion, AgeBetween | MeasurementBetween) and criterion.low > criterion.high
    ]


def _check_trusts(trusts: tuple[str, ...]) -> list[Violation]:
    return [
        Violation(rule="repeated_trust", where="trusts", message=f"{name} is named twice.", mend="Name it once.")
        for name, times in Counter(trusts).items()
        if times > 1
    ]


def _check_training(spec: TrainSpec) -> list[Violation]:
    found: list[Violation] = []
    privacy = spec.privacy
    if privacy.scaling == "dp_statistics" and not privacy.scaling_share > 0:
        found.append(
            Violation(
                rule="no_budget_for_scaling",
                where="privacy.scaling_share",
                message="Noisy feature statistics need a share of the budget.",
                mend="Set scaling_share to 0.2, or scaling to 'public_bounds'.",
            )
        )
    if isinstance(privacy.mechanism, DPSGD) and privacy.mechanism.local_steps * spec.rounds > 100_000:
        found.append(
            Violation(
                rule="too_many_steps",
                where="privacy.mechanism.local_steps",
                message="More than 100,000 steps in all.",
                mend="Lower rounds or local_steps.",
            )
        )
    if isinstance(privacy.mechanism, FullBatch) and spec.rounds < 2:
        found.append(
            Violation(
                rule="too_few_rounds",
                where="rounds",
                message="Full-batch descent takes one step a round, and the last half of them is averaged.",
                mend="Ask for 2 rounds or more; 40 is the preset.",
            )
        )
    if isinstance(privacy.mechanism, SufficientStatistics) and spec.rounds != 1:
        found.append(
            Violation(
                rule="too_many_rounds",
                where="rounds",
                message="Sufficient statistics are released once.",
                mend="Ask for 1 round.",
            )
        )
    found += _check_scaling(spec)
    if isinstance(privacy.trust_model, DistributedNoise):
        found += _check_distributed(spec, privacy.trust_model)
    if spec.trusts and len(spec.trusts) < spec.min_trusts:
        found.append(
            Violation(
                rule="too_few_trusts",
                where="min_trusts",
                message=f"{spec.min_trusts} Trusts are needed, {len(spec.trusts)} are asked.",
                mend="Lower min_trusts or ask more Trusts.",
            )
        )
    return found


def _check_scaling(spec: TrainSpec) -> list[Violation]:
    given, scaling = spec.privacy.scaling == "given", spec.scaling
    if given != (scaling is not None):
        told = f"A scaling is given, but privacy asks for {spec.privacy.scaling}."
        message = "No scaling is given." if given else told
        mend = "Set privacy.scaling to 'given' and give a scaling, or leave both out."
        return [Violation(rule="scaling_given", where="scaling", message=message, mend=mend)]
    return _check_shape(scaling, len(spec.features), "Give one shift and one scale for each feature.")


def _check_distributed(spec: TrainSpec, model: DistributedNoise) -> list[Violation]:
    found: list[Violation] = []
    if isinstance(spec.privacy.mechanism, DPSGD):
        found.append(
            Violation(
                rule="mechanism_needs_local_noise",
                where="privacy.trust_model",
                message="Noise shares hold only where every step is summed over the Trusts; DP-SGD takes several.",
                mend="Use the mechanism full_batch, or local noise.",
            )
        )
    if spec.trusts and len(spec.trusts) < FEWEST_FOR_DISTRIBUTED:
        found.append(
            Violation(
                rule="too_few_trusts_for_sharing",
                where="trusts",
                message=f"Noise is shared among {FEWEST_FOR_DISTRIBUTED} Trusts or more; {len(spec.trusts)} are asked.",
                mend="Ask more Trusts, or use local noise.",
            )
        )
    if model.min_honest is not None and spec.trusts and model.min_honest > len(spec.trusts):
        found.append(
            Violation(
                rule="too_many_honest",
                where="privacy.trust_model.min_honest",
                message=f"{model.min_honest} of {len(spec.trusts)} Trusts cannot be honest.",
                mend="Lower min_honest, or leave it out.",
            )
        )
    return found


def _check_evaluation(spec: EvaluateSpec) -> list[Violation]:
    return _check_shape(spec.scaling, len(spec.features), "Use the scaling and features the model was trained with.")


def _check_shape(scaling: Scaling | None, features: int, mend: str) -> list[Violation]:
    if scaling is None or len(scaling.shift) == features == len(scaling.scale):
        return []
    message = f"{len(scaling.shift)} shifts and {len(scaling.scale)} scales for {features} features."
    return [Violation(rule="scaling_shape", where="scaling", message=message, mend=mend)]
