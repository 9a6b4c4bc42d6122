"""How events add up: Rényi differential privacy (Mironov, arXiv 1702.07476), composed order by order.

RDP composition holds when each job is chosen after seeing the results of those before it (Feldman & Zrnic, arXiv
2008.11193), so it can be enforced as a filter. A cost becomes an epsilon only to compare it with a budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.rdp import RdpAccountant, compute_epsilon

from flip_sdk.accounting.events import AnyEvent, Gaussian, PoissonGaussian, Pure, SharedGaussian, parse_event

_WHOLE_ORDERS = (*range(2, 64), 72, 80, 96, 112, 128, 160, 192, 256, 384, 512, 768, 1024)
_LARGE_ORDERS = (2048, 4096, 16384, 65536, 10**6, 10**8)
ORDERS = np.array(sorted({*(1 + x / 10 for x in range(1, 100)), *_WHOLE_ORDERS, *_LARGE_ORDERS}), dtype=np.float64)
"""The large orders make a pure guarantee cost its epsilon, and no more."""

Vector = npt.NDArray[np.float64]


@lru_cache(maxsize=100_000)
def rdp(event: AnyEvent) -> Vector:
    """RDP of one event at :data:`ORDERS`; reckoned once, then kept."""
    match event:
        case Gaussian():
            vector = _gaussian(event.noise_multiplier, event.steps)
        case SharedGaussian():
            vector = _gaussian(event.together, event.steps)
        case PoissonGaussian():
            vector = _poisson_gaussian(event)
        case Pure():
            vector = _pure(event.epsilon)
    vector.setflags(write=False)
    return vector


def epsilon_of(events: Mapping[AnyEvent, int], delta: float) -> float:
    """Epsilon at ``delta`` of events, each composed as often as its number says.

    Where every event is pure, their plain sum is a bound as well, and the smaller of the two counts.
    """
    if not events:
        return 0.0
    total = np.sum([times * rdp(event) for event, times in events.items()], axis=0)
    with np.errstate(divide="ignore"):
        epsilon = float(compute_epsilon(ORDERS, total, delta)[0])
    plain = [times * event.epsilon for event, times in events.items() if isinstance(event, Pure)]
    return min(epsilon, sum(plain)) if len(plain) == len(events) else epsilon


def counted(events: Iterable[AnyEvent]) -> dict[AnyEvent, int]:
    """The same events as a mapping from event to how often."""
    found: dict[AnyEvent, int] = {}
    for event in events:
        found[event] = found.get(event, 0) + 1
    return found


@lru_cache(maxsize=100_000)
def stored_event(content: str) -> AnyEvent:
    """An event out of the database; equal rows are read once."""
    return parse_event(content)


def _gaussian(noise_multiplier: float, steps: int) -> Vector:
    return steps * ORDERS / (2 * noise_multiplier**2)


def _poisson_gaussian(event: PoissonGaussian) -> Vector:
    accountant = RdpAccountant(_WHOLE_ORDERS)
    accountant.compose(PoissonSampledDpEvent(event.sampling_rate, GaussianDpEvent(event.noise_multiplier)), event.steps)
    # (α - 1) · RDP(α) is convex and 0 at α = 1, so the line between two whole orders is a bound for those between them
    known = np.array((1, *_WHOLE_ORDERS), dtype=np.float64)
    moments = np.concatenate([[0.0], (known[1:] - 1) * accountant.rdp])
    between = np.interp(ORDERS, known, moments) / (ORDERS - 1)
    # sampling only ever lowers the cost, so at the largest orders, where it is slow to reckon, it is left out
    return np.where(known[-1] >= ORDERS, between, _gaussian(event.noise_multiplier, event.steps))


def _pure(epsilon: float) -> Vector:
    # randomised response is the worst epsilon-DP mechanism there is: its divergence bounds every other's
    kept = -np.log1p(np.exp(-epsilon))
    flipped = kept - epsilon
    divergence = np.logaddexp(ORDERS * kept + (1 - ORDERS) * flipped, ORDERS * flipped + (1 - ORDERS) * kept) / (
        ORDERS - 1
    )
    return np.asarray(np.clip(divergence, 0.0, epsilon), dtype=np.float64)
