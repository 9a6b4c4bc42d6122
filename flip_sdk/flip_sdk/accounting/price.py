"""What a job will cost at a Trust whose ledger is known: reckoned by the very function that its admission decides by.

A job whose Trusts share the noise has two prices: under its stated assumption (so many Trusts are honest), and if every
other Trust worked with the hub, where only this Trust's own share of the noise is left. Both are capped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flip_sdk.accounting.calibrate import calibrate
from flip_sdk.accounting.caps import Cap
from flip_sdk.accounting.composition import Sum, alone, counted, epsilon_of, sum_of, together, within
from flip_sdk.accounting.events import AnyEvent, SharedGaussian
from flip_sdk.contract.jobs import AnySpec

Ledger = Mapping[AnyEvent, int]


@dataclass(frozen=True)
class Figures:
    """Epsilons under one assumption.

    Attributes:
        job: of the job by itself.
        before: spent so far.
        after: spent with it; not the sum of both.
        cap: what may be spent.
    """

    job: float
    before: float
    after: float
    cap: float

    @property
    def left(self) -> float:
        """What is left afterwards."""
        return max(self.cap - self.after, 0.0)


@dataclass(frozen=True)
class Price:
    """What a job costs at one Trust.

    Attributes:
        stated: under the assumption that the job states.
        alone: if every other Trust worked with the hub; the same where noise is local.
        shared: whether the job's Trusts share its noise.
        admitted: whether the caps cover it.
    """

    stated: Figures
    alone: Figures
    shared: bool
    admitted: bool


def events_of_job(spec: AnySpec, trusts: int = 1) -> dict[AnyEvent, int]:
    """Everything that a job will debit at each of so many Trusts.

    Raises:
        ValueError: so many Trusts cannot share noise as the job asks.
    """
    return counted(debit.event for debit in calibrate(spec, trusts))


def covers(cap: Cap, ledger: Ledger, job: Ledger) -> bool:
    """Whether a cap covers a job's events after what is in the ledger: what every admission is decided by."""
    return covers_sums(cap, sum_of(together(ledger, job)), sum_of(alone(together(ledger, job))))


def covers_sums(cap: Cap, stated: Sum, by_itself: Sum) -> bool:
    """As :func:`covers`, of what was added up already: as stated, and if every other Trust worked with the hub."""
    if not within(stated, cap.epsilon, cap.delta):
        return False
    # most ledgers have no shared noise, and are the same alone
    same = stated == by_itself and cap.epsilon_alone >= cap.epsilon
    return same or within(by_itself, cap.epsilon_alone, cap.delta)


def price(spec: AnySpec, ledger: Ledger, cap: Cap, trusts: int = 1) -> Price:
    """What a job costs, after what is in a ledger.

    Args:
        spec: the job.
        ledger: what was debited so far: event, and how often.
        cap: what may be spent.
        trusts: how many Trusts the job goes to; it matters where they share the noise.

    Raises:
        ValueError: so many Trusts cannot share noise as the job asks.
    """
    job = events_of_job(spec, trusts)
    stated = _figures(job, ledger, cap.delta, cap.epsilon)
    if any(isinstance(event, SharedGaussian) for event in (*job, *ledger)):
        by_itself = _figures(alone(job), alone(ledger), cap.delta, cap.epsilon_alone)
    else:
        by_itself = replace(stated, cap=cap.epsilon_alone)
    shared = any(isinstance(event, SharedGaussian) for event in job)
    return Price(stated, by_itself, shared, covers(cap, ledger, job))


def _figures(job: Ledger, ledger: Ledger, delta: float, cap: float) -> Figures:
    return Figures(epsilon_of(job, delta), epsilon_of(ledger, delta), epsilon_of(together(ledger, job), delta), cap)
