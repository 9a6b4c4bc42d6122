"""What a job will cost at each Trust, and whether its budgets cover it: reckoned out of what each Trust told of its
ledger, by the function that the Trust itself decides by. The hub's intake, the SDK and a played hub all ask here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flip_sdk.accounting.caps import ALONE_FACTOR, Cap
from flip_sdk.accounting.events import AnyEvent
from flip_sdk.contract.api import TrustBudget
from flip_sdk.contract.jobs import AnySpec, TrainSpec
from flip_sdk.contract.notices import LedgerMirror

if TYPE_CHECKING:
    from flip_sdk.accounting.price import Price


@dataclass(frozen=True)
class TrustPrice:
    """What a job costs at one Trust.

    Attributes:
        trust: its name.
        project: against the project's budget there; None before an opt-in.
        total: against the budget of its whole data set; None where the Trust has not told it.
        over_job_cap: whether the job asks for more than the Trust allows any one job.
        exact: whether the Trust told its whole ledger, so that this is what its admission will reckon.
    """

    trust: str
    project: Price | None
    total: Price | None = None
    over_job_cap: bool = False
    exact: bool = True

    @property
    def admitted(self) -> bool:
        """Whether the budgets cover it, as far as they are known."""
        known = [figures for figures in (self.project, self.total) if figures is not None]
        return not self.over_job_cap and all(figures.admitted for figures in known)

    @property
    def words(self) -> str:
        """What is spent afterwards, in words."""
        if self.project is None:
            return ""
        stated, alone = self.project.stated, self.project.alone
        shared = f" ({alone.after:.3g} of {alone.cap:g} alone)" if self.project.shared else ""
        return f"{self.trust} {stated.after:.3g} of {stated.cap:g}{shared}"

    @property
    def why_not(self) -> str:
        """Which budget does not cover it, in words; empty where all do."""
        if self.over_job_cap:
            return "it asks for more than the Trust allows any one job"
        for figures, name in ((self.project, "the project's budget"), (self.total, "the budget of the whole data set")):
            if figures is not None and not figures.admitted:
                return _short(figures, name)
        return ""


def prices(spec: AnySpec, taking_part: Sequence[TrustBudget]) -> list[TrustPrice]:
    """A job's price at each of the Trusts that it would go to."""
    return [_price(spec, budget, len(taking_part)) for budget in taking_part]


def refused(spec: AnySpec, taking_part: Sequence[TrustBudget]) -> list[TrustPrice]:
    """Its price at those that would refuse it; the rest is only looked at, which is far quicker than pricing it."""
    return [_price(spec, budget, len(taking_part)) for budget in taking_part if not _covered(spec, budget, taking_part)]


def epsilon_of(spec: AnySpec) -> float:
    """What the job asks for at each Trust."""
    return spec.privacy.epsilon if isinstance(spec, TrainSpec) else spec.epsilon


def cost_in_words(epsilon: float, priced: Sequence[TrustPrice] = (), *, brief: bool = False) -> str:
    """What a job costs, for its researcher: at each Trust, and (not in ``brief``) what is spent there afterwards."""
    spent = "; ".join(price.words for price in priced if price.words)
    shared = [price.project for price in priced if price.project is not None and price.project.shared]
    alone = f", {shared[0].alone.job:.3g} if every other Trust worked with the hub" if shared else ""
    then = f"; spent then: {spent}" if spent and not brief else ""
    return f"privacy cost at each Trust: ε {epsilon:g}{alone} (unit: person){then}"


def events_of(ledger: LedgerMirror) -> dict[AnyEvent, int]:
    """A told ledger's events, and how often each was debited."""
    return {entry.event: entry.times for entry in ledger.entries}


def cap_of(ledger: LedgerMirror) -> Cap:
    """A told ledger's cap."""
    return Cap(ledger.epsilon, ledger.delta, ledger.epsilon_alone)


def _covered(spec: AnySpec, budget: TrustBudget, taking_part: Sequence[TrustBudget]) -> bool:
    from flip_sdk.accounting.price import covers, events_of_job  # numpy: not before a price is asked for

    if budget.total is not None and epsilon_of(spec) > budget.total.max_epsilon_per_job:
        return False
    job, ledgers = events_of_job(spec, len(taking_part)), (_project_ledger(budget), budget.total)
    return all(covers(cap_of(ledger), events_of(ledger), job) for ledger in ledgers if ledger is not None)


def _price(spec: AnySpec, budget: TrustBudget, trusts: int) -> TrustPrice:
    from flip_sdk.accounting.price import price  # numpy: not before a price is asked for

    ledger, total = _project_ledger(budget), budget.total
    return TrustPrice(
        budget.trust,
        price(spec, events_of(ledger), cap_of(ledger), trusts) if ledger else None,
        price(spec, events_of(total), cap_of(total), trusts) if total else None,
        over_job_cap=total is not None and epsilon_of(spec) > total.max_epsilon_per_job,
        exact=budget.ledger is not None and total is not None and budget.ledger.complete and total.complete,
    )


def _project_ledger(budget: TrustBudget) -> LedgerMirror | None:
    if budget.ledger is not None:
        return budget.ledger
    if budget.epsilon is None or budget.delta is None:
        return None
    alone = budget.epsilon_alone if budget.epsilon_alone is not None else ALONE_FACTOR * budget.epsilon
    return LedgerMirror(epsilon=budget.epsilon, epsilon_alone=alone, delta=budget.delta)


def _short(figures: Price, name: str) -> str:
    stated, alone = figures.stated, figures.alone
    if stated.after > stated.cap:
        return f"{name} would be at ε {stated.after:.3g} of {stated.cap:g} ({stated.before:.3g} before)"
    return (
        f"{name} would be at ε {alone.after:.3g} of {alone.cap:g} if every other Trust worked with the hub "
        f"({alone.before:.3g} before)"
    )
