"""An audit that can fail: attack a mechanism's own releases, and compare how well that works with what was promised.

Canaries are people made up so that each moves one number of the release and nobody else does; a fair coin decides who
takes part, and the number is the canary's score. Under a mechanism that is μ-GDP (Dong, Roth and Su, "Gaussian
Differential Privacy", arXiv 1905.02383) the scores of those in and of those out are no more than μ standard deviations
apart, however many canaries there are; with Gaussian noise of multiplier σ over T sums, μ is √T/σ. All canaries share
one run (Steinke, Nasr and Jagielski, "Privacy Auditing with One (1) Training Run", arXiv 2305.08846; Andrew et al.,
"One-shot Empirical Privacy Estimation for Federated Learning", arXiv 2302.03098).

The distance measured, in units of the standard deviation of those out, follows a noncentral t distribution, so the
lower bound is exact where scores are normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import chi2, nct

CONFIDENCE = 0.999
_FAR = 500.0


@dataclass(frozen=True)
class Verdict:
    """What an audit found.

    Attributes:
        measured: standard deviations that the scores of canaries in and out are apart.
        lower: what that is at least, at the confidence asked for.
        claimed: what the mechanism promises that it is at most.
        chance: probability of scores so far apart, or further, where the promise is just kept.
    """

    measured: float
    lower: float
    claimed: float
    chance: float

    @property
    def flagged(self) -> bool:
        """Whether the promise is broken."""
        return self.lower > self.claimed


def mu_test(
    scores: npt.NDArray[np.float64],
    included: npt.NDArray[np.bool_],
    claimed: float,
    *,
    confidence: float = CONFIDENCE,
) -> Verdict:
    """Compare the scores of the canaries that took part with those of the others.

    Args:
        scores: ``[canaries]``: the released number that each canary moves up.
        included: ``[canaries]``: which took part, by fair coins.
        claimed: the μ that the ledger's event stands for.
        confidence: of the lower bound. Where the claim is true, it is flagged with a probability of ``1 - confidence``.

    Raises:
        ValueError: fewer than three canaries in or out.
    """
    inside, outside = scores[included], scores[~included]
    if min(len(inside), len(outside)) < 3:
        raise ValueError("an audit needs at least three canaries in and three out")
    distance, spread = float(inside.mean() - outside.mean()), float(outside.std(ddof=1))
    if spread == 0:
        certain = math.inf if distance > 0 else 0.0
        return Verdict(certain, certain, claimed, chance=0.0 if certain else 1.0)
    # sampling of persons spreads out the scores of those in a little further
    unit = math.sqrt(float(inside.var(ddof=1)) / spread**2 / len(inside) + 1 / len(outside))
    statistic, freedom = distance / spread / unit, len(outside) - 1
    lower = unit * _lowest(statistic, freedom, 1 - confidence)
    return Verdict(unit * statistic, lower, claimed, _beyond(statistic, freedom, claimed / unit))


def chance_of_missing(claimed: float, actual: float, canaries: int, *, confidence: float = CONFIDENCE) -> float:
    """Probability that a mechanism of μ = ``actual`` is not flagged, half of the canaries in: what the audit can do."""
    half = canaries // 2
    unit = math.sqrt(2 / half)
    threshold = nct.isf(1 - confidence, half - 1, claimed / unit)
    return float(nct.cdf(threshold, half - 1, actual / unit))


def _beyond(statistic: float, freedom: int, noncentrality: float) -> float:
    """Probability that a t statistic is this large or larger."""
    if statistic > _FAR:
        # all that is uncertain is the spread
        return float(chi2.cdf(freedom * (noncentrality / statistic) ** 2, freedom))
    return float(nct.sf(statistic, freedom, noncentrality))


def _lowest(statistic: float, freedom: int, chance: float) -> float:
    """The smallest noncentrality under which a t statistic is this large with a probability of ``chance``."""
    if statistic > _FAR:
        return float(statistic * math.sqrt(chi2.ppf(chance, freedom) / freedom))
    if _beyond(statistic, freedom, 0.0) >= chance:
        return 0.0
    return float(brentq(lambda value: _beyond(statistic, freedom, value) - chance, 0.0, statistic + 1.0, xtol=1e-9))
