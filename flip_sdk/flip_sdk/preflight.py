"""What can be told before a job is sent: which Trusts will say no, and which are away.

A courtesy to the researcher. Each Trust decides again, by its own opt-in and its own ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches

from flip_sdk.contract.api import TrustBudget
from flip_sdk.contract.check import Violation
from flip_sdk.contract.jobs import FEWEST_FOR_DISTRIBUTED, AnySpec, DistributedNoise, TrainSpec
from flip_sdk.extras import installed
from flip_sdk.pricing import TrustPrice, epsilon_of, prices, refused

Spec = AnySpec
_SEE = "See project.budget()."


def violations(spec: Spec, budgets: Sequence[TrustBudget]) -> list[Violation]:
    """Why no run of this job can succeed; empty when it may be sent."""
    known = [b.trust for b in budgets]
    unknown = [_unknown_trust(name, known) for name in spec.trusts if name not in known]
    if unknown:
        return unknown
    willing = taking_part(spec, budgets)
    needed = max(spec.min_trusts if isinstance(spec, TrainSpec) else 1, _fewest(spec))
    if len(willing) < needed:
        if any(b.expires_at is not None and b.expires_at <= datetime.now(UTC) for b in _asked(spec, budgets)):
            return []  # the hub knows whether an opt-in or the whole project is over
        return [_too_few(spec, budgets, len(willing), needed)]
    if _too_honest(spec, len(willing)):
        return [_too_many_honest(len(willing))]
    short = _refused(spec, willing)
    return [] if len(willing) - len(short) >= needed else [_over_budget(spec, short)]


def notes(spec: Spec, budgets: Sequence[TrustBudget]) -> list[str]:
    """What the researcher should know although the job may be sent."""
    told = []
    willing = taking_part(spec, budgets)
    away = [b.trust for b in willing if not b.online]
    if away and len(away) == len(willing):
        told.append("No Trust that takes part is online now. The job waits for them; job.cancel() withdraws it.")
    elif away:
        told.append(f"Offline now: {', '.join(away)}. The job waits for them for a while, then goes on without.")
    told += [f"Expect a refusal: {p.trust} would say that {p.why_not}. {_SEE}" for p in _refused(spec, willing)]
    return told


def priced(spec: Spec, budgets: Sequence[TrustBudget]) -> list[TrustPrice]:
    """What the job will cost where it goes to; nothing where numpy is not installed: the hub and the Trusts reckon."""
    return prices(spec, taking_part(spec, budgets)) if installed("numpy") else []


def taking_part(spec: Spec, budgets: Sequence[TrustBudget]) -> list[TrustBudget]:
    """The Trusts that a job would go to: asked for, and opted in to its kind and its trust model."""
    now = datetime.now(UTC)
    model = "distributed" if _fewest(spec) > 1 else "local"
    return [
        b
        for b in _asked(spec, budgets)
        if b.consent == "opted_in"
        and spec.kind in (b.job_kinds or (spec.kind,))
        and model in b.trust_models
        and (b.expires_at is None or b.expires_at > now)
    ]


def why_not(spec: Spec, budget: TrustBudget) -> str:
    """Why a Trust takes no part in a job, in words; empty where it does."""
    if taking_part(spec, [budget]):
        return ""
    match budget.consent:
        case "opted_in" if spec.kind not in (budget.job_kinds or (spec.kind,)):
            return f"its data steward did not allow {spec.kind} jobs"
        case "opted_in" if budget.expires_at is not None and budget.expires_at <= datetime.now(UTC):
            return "its opt-in has expired"
        case "opted_in":
            return "its data steward did not accept the trust model"
        case "none":
            return "its data steward has not opted in"
        case state:
            return f"its data steward has {state} the project"


def _refused(spec: Spec, willing: Sequence[TrustBudget]) -> list[TrustPrice]:
    """Those whose budgets do not cover the job; not known where numpy is not installed: the hub says it then."""
    return refused(spec, willing) if installed("numpy") else []


def _asked(spec: Spec, budgets: Sequence[TrustBudget]) -> list[TrustBudget]:
    return [b for b in budgets if not spec.trusts or b.trust in spec.trusts]


def _fewest(spec: Spec) -> int:
    """How many Trusts a job's trust model needs."""
    model = spec.privacy.trust_model if isinstance(spec, TrainSpec) else None
    return FEWEST_FOR_DISTRIBUTED if isinstance(model, DistributedNoise) else 1


def _too_honest(spec: Spec, trusts: int) -> bool:
    model = spec.privacy.trust_model if isinstance(spec, TrainSpec) else None
    return isinstance(model, DistributedNoise) and model.honest_of(trusts) > trusts


def _too_many_honest(willing: int) -> Violation:
    return Violation(
        rule="too_many_honest",
        where="privacy.trust_model.min_honest",
        message=f"Of the {willing} Trusts that share noise in this project, more are asked to be honest.",
        mend="Lower min_honest, or leave it out.",
    )


def _unknown_trust(name: str, known: Sequence[str]) -> Violation:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    mend = f"Did you mean {near[0]!r}?" if near else f"The project's Trusts are {', '.join(known) or 'none yet'}."
    return Violation(
        rule="unknown_trust", where="trusts", message=f"{name!r} takes no part in this project.", mend=mend
    )


def _too_few(spec: Spec, budgets: Sequence[TrustBudget], willing: int, needed: int) -> Violation:
    states = ", ".join(f"{b.trust} {b.consent.replace('_', ' ')}" for b in _asked(spec, budgets)) or "none"
    return Violation(
        rule="not_opted_in",
        where="trusts",
        message=f"'{spec.kind}' jobs need {needed} Trust(s) that opted in to them; {willing} did ({states}).",
        mend=f"Ask their data stewards to opt in. {_SEE}",
    )


def _over_budget(spec: Spec, short: Sequence[TrustPrice]) -> Violation:
    lines = "; ".join(f"at {p.trust} {p.why_not}" for p in short)
    return Violation(
        rule="budget_exceeded",
        where="privacy.epsilon" if isinstance(spec, TrainSpec) else "epsilon",
        message=f"epsilon {epsilon_of(spec):g} is more than the privacy budgets cover: {lines}.",
        mend=f"Ask for a smaller epsilon, or ask the data stewards for a larger budget. {_SEE}",
    )
