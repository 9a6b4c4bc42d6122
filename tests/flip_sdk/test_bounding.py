from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.errors import NotFoundError, PublicError

import flip_sdk as flip

WIDE = flip.measurement("mean radius", low=0, high=320)


def test_bounds_are_quantiles_between_the_public_ones_and_cost_what_they_say(project, fake_hub):
    measured = np.concatenate([trust.patients.measurements[2_000_000_001] for trust in fake_hub.trusts.values()])
    before = next(iter(fake_hub.trusts.values())).spent
    (radius, mean) = project.bounds([WIDE, WIDE.mean(days=(-365, 0))], epsilon=2.0)

    low, high = np.quantile(measured, [0.01, 0.99])
    assert (radius.low, radius.high) == pytest.approx((low, high), abs=2 * 320 / 64)
    assert (mean.low, mean.high, mean.statistic) == (radius.low, radius.high, "mean")
    assert next(iter(fake_hub.trusts.values())).spent == pytest.approx(before + 2.0)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.0, 1.0)])
def test_shares_have_to_be_a_range(project, shares):
    with pytest.raises(PublicError):
        project.bounds([WIDE], epsilon=1.0, shares=shares)


def test_counts_and_conditions_have_no_such_bounds(project):
    with pytest.raises(PublicError):
        project.bounds([WIDE.count()], epsilon=1.0)
    with pytest.raises(NotFoundError):
        project.bounds([flip.age()], epsilon=1.0)
