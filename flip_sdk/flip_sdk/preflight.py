"""What can be told before a job is sent: which Trusts will say no, and which are away.

A courtesy to the researcher. Each Trust decides again, by its own opt-in and its own ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from flip_sdk.contract.api import TrustBudget
from flip_sdk.contract.check import Violation
from flip_sdk.contract.jobs import AnySpec, TrainSpec

Spec = AnySpec
_SEE = "See project.budget()."


def epsilon_of(spec: Spec) -> float:
    """What the job asks for at each Trust."""
    return spec.privacy.epsilon if isinstance(spec, TrainSpec) else spec.epsilon


def violations(spec: Spec, budgets: Sequence[TrustBudget]) -> list[Violation]:
    """Why no run of this job can succeed; empty when it may be sent."""
    known = [b.trust for b in budgets]
    unknown = [_unknown_trust(name, known) for name in spec.trusts if name not in known]
    if unknown:
        return unknown
    willing = _willing(spec, budgets)
    needed = spec.min_trusts if isinstance(spec, TrainSpec) else 1
    if len(willing) < needed:
        return [_too_few(spec, budgets, len(willing), needed)]
    able = [b for b in willing if _covers(b, epsilon_of(spec))]
    return [] if len(able) >= needed else [_over_budget(spec, willing)]


def notes(spec: Spec, budgets: Sequence[TrustBudget]) -> list[str]:
    """What the researcher should know although the job may be sent."""
    told = []
    willing = _willing(spec, budgets)
    away = [b.trust for b in willing if not b.online]
    if away and len(away) == len(willing):
        told.append("No Trust that takes part is online now. The job waits for them; job.cancel() withdraws it.")
    elif away:
        told.append(f"Offline now: {', '.join(away)}. The job waits for them for a while, then goes on without.")
    short = [b.trust for b in willing if not _covers(b, epsilon_of(spec))]
    if short:
        told.append(f"The budget does not cover this job at {', '.join(short)}: expect a refusal there. {_SEE}")
    return told


def _asked(spec: Spec, budgets: Sequence[TrustBudget]) -> list[TrustBudget]:
    return [b for b in budgets if not spec.trusts or b.trust in spec.trusts]


def _willing(spec: Spec, budgets: Sequence[TrustBudget]) -> list[TrustBudget]:
    return [b for b in _asked(spec, budgets) if b.consent == "opted_in" and spec.kind in (b.job_kinds or (spec.kind,))]


def _covers(budget: TrustBudget, epsilon: float) -> bool:
    # composition is not adding up: only what is certain to be refused is called so
    return budget.epsilon is None or (epsilon <= budget.epsilon and budget.spent < budget.epsilon)


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


def _over_budget(spec: Spec, willing: Sequence[TrustBudget]) -> Violation:
    lines = ", ".join(f"{b.trust} has spent {b.spent:.3g} of {b.epsilon or 0:.3g}" for b in willing)
    return Violation(
        rule="budget_exceeded",
        where="privacy.epsilon" if isinstance(spec, TrainSpec) else "epsilon",
        message=f"epsilon {epsilon_of(spec):g} is more than the privacy budgets cover: {lines}.",
        mend=f"Ask for a smaller epsilon, or ask the data stewards for a larger budget. {_SEE}",
    )
