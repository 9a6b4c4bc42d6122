"""Bounds of measurements out of what is asked of the persons under differential privacy, where none are known well."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.features import Feature
from flip_sdk.contract.statistics import Quantiles
from flip_sdk.errors import PublicError

Ask = Callable[[Quantiles], JobResult]
ALL = "all"


def estimated(features: Sequence[Feature], shares: tuple[float, float], bins: int, ask: Ask) -> list[Feature]:
    """The same features between estimated quantiles of their latest values, all Trusts together.

    Raises:
        PublicError: the shares are no range, a feature is a count, or noise leaves no range.
    """
    low, high = shares
    if not 0 < low < high < 1:
        raise PublicError(
            f"{low:g} to {high:g} is no range of shares.", "Give two between 0 and 1, such as (0.01, 0.99)."
        )
    counts = [feature for feature in features if feature.statistic == "count"]
    if counts:
        raise PublicError(f"“{counts[0].name}” is a count.", "Give its bound yourself: count(days=…, most=…).")
    return [_bounded(feature, (low, high), bins, ask) for feature in features]


def _bounded(feature: Feature, shares: tuple[float, float], bins: int, ask: Ask) -> Feature:
    plain = feature.model_copy(update={"statistic": "latest", "window": None})
    told = ask(Quantiles(measurement=plain, probabilities=shares, bins=bins)).statistics
    found = {e.at: e.estimate for e in told if e.trust == ALL}
    low, high = (found.get(share) for share in shares)
    if low is None or high is None or not low < high:
        raise PublicError(
            f"The noise leaves no range for “{feature.name or feature.concept_id}”.",
            "Ask with a larger epsilon or fewer bins, or for fewer measurements; or keep the public bounds.",
        )
    return feature.model_copy(update={"low": low, "high": high})
