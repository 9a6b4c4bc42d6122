"""What one job costs at the least: for people to read, never for a ledger to be stopped by.

A job's releases are fixed before its first, so inside it privacy loss distributions compose (Koskela, Jälkö and
Honkela, arXiv 1906.03049; Doroshenko and others, "Connect the Dots", arXiv 2207.04380): tighter than the ledger's
bound, above all where persons are sampled. Across jobs that were chosen one after the other they must not be composed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from flip_sdk.accounting.composition import alone, epsilon_of, sum_of
from flip_sdk.accounting.events import AnyEvent, PoissonGaussian, Pure
from flip_sdk.accounting.gaussian import epsilon_at
from flip_sdk.accounting.price import Ledger, events_of_job
from flip_sdk.contract.jobs import AnySpec, TrainSpec

if TYPE_CHECKING:
    from dp_accounting import DpEvent

_DELTA = 1e-5
_INTERVAL = 1e-3
"""Losses are rounded up to multiples of this: more than it costs, by less than anybody reads."""


@dataclass(frozen=True)
class Report:
    """A job's cost by itself.

    Attributes:
        debited: what the ledger reckons: the bound that is enforced.
        tight: what the job by itself costs, its releases having been fixed beforehand; at most ``debited``.
        alone: ``tight`` if every other Trust worked with the hub; the same where noise is local.
        delta: of all of them.
    """

    debited: float
    tight: float
    alone: float
    delta: float

    def __str__(self) -> str:
        figures = f"ε {self.debited:.4g} debited, {self.tight:.4g} at the least"
        alone = f", {self.alone:.4g} if every other Trust worked with the hub" if self.alone > self.tight else ""
        return f"{figures}{alone} (δ {self.delta:g}, unit: person)"


@lru_cache(maxsize=256)
def report(spec: AnySpec, trusts: int = 1, delta: float | None = None) -> Report:
    """What a job costs: as the ledger debits it, and at the least.

    Args:
        spec: the job.
        trusts: how many Trusts it goes to; it matters where they share the noise.
        delta: at which both are told; the one that the job asks for when left out, or 1e-5 where it asks for none.

    Raises:
        ValueError: so many Trusts cannot share noise as the job asks.
    """
    delta = delta or _delta_of(spec) or _DELTA
    job = events_of_job(spec, trusts)
    debited = epsilon_of(job, delta)
    tight = min(_tight(job, delta), debited)
    by_itself = alone(job)
    return Report(debited, tight, min(_tight(by_itself, delta), epsilon_of(by_itself, delta)), delta)


def _delta_of(spec: AnySpec) -> float:
    return spec.privacy.delta if isinstance(spec, TrainSpec) else getattr(spec, "delta", 0.0)


def _tight(job: Ledger, delta: float) -> float:
    total = sum_of(job)
    if not total.sampled:
        # exact where every release is a Gaussian; pure ones come one a job
        return min(total.plain, epsilon_at(total.all_squared, delta))
    return _by_loss_distribution(job, delta)


def as_dp_event(event: AnyEvent) -> DpEvent:
    """A ledger's event as Google's accountants take it."""
    from dp_accounting import GaussianDpEvent, LaplaceDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent

    match event:
        case Pure():
            return LaplaceDpEvent(1 / event.epsilon)
        case PoissonGaussian():
            step = PoissonSampledDpEvent(event.sampling_rate, GaussianDpEvent(event.noise_multiplier))
            return SelfComposedDpEvent(step, event.steps)
        case _:
            return SelfComposedDpEvent(GaussianDpEvent(event.squared_noise**0.5), event.steps)


def _by_loss_distribution(job: Ledger, delta: float) -> float:
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant(value_discretization_interval=_INTERVAL)
    for event, times in job.items():
        accountant.compose(as_dp_event(event), times)
    return float(accountant.get_epsilon(delta))
