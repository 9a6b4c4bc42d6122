"""The engine as it is gives away no more than the ledger was debited for, and the audit says so.

Chances, per run of the tests: a right engine is flagged with 1e-3 in one run; an alarm is three such runs in a row, or
one that comes with 1e-9. So an alarm is false with 2e-9, and over every audit here together, those of the large form
included, with less than 1e-6. What is missed is in ``test_mutants``.
"""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.mechanisms.audit import chance_of_missing, mu_test

from tests.audit.canaries import FORMS

BEYOND_DOUBT = 1e-9
WAYS = [(mechanism, form) for mechanism in ("full_batch", "dp_sgd") for form in FORMS]


def alarm(audit) -> bool:
    """A verdict beyond doubt, or three that are flagged in a row: one alone comes once in a thousand runs."""
    verdicts = (audit() for _ in range(3))
    for verdict in verdicts:
        if verdict.chance < BEYOND_DOUBT or not verdict.flagged:
            return verdict.flagged
    return True


@pytest.mark.parametrize(("mechanism", "form"), WAYS)
def test_the_engine_is_not_flagged(bench, mechanism, form):
    assert not alarm(bench(mechanism, form).audit)


def test_nor_is_it_over_fifty_steps(bench):
    assert not alarm(bench("full_batch", rounds=50).audit)


@pytest.mark.parametrize("mechanism", ["full_batch", "dp_sgd"])
def test_there_is_no_false_alarm_in_sixty_runs(bench, mechanism):
    """Sixty of each. Neither canaries nor rounds change how often a right engine is flagged, only its power."""
    one = bench(mechanism, count=300, rounds={"full_batch": 4, "dp_sgd": 1}[mechanism])
    assert not any(alarm(one.audit) for _ in range(60))


@pytest.mark.slow
@pytest.mark.parametrize(("mechanism", "form"), WAYS)
def test_nor_in_sixty_of_any_form(bench, mechanism, form):
    one = bench(mechanism, form)
    assert not any(alarm(one.audit) for _ in range(60))


@pytest.mark.parametrize("mechanism", ["full_batch", "dp_sgd"])
def test_what_is_measured_is_what_is_claimed(bench, mechanism):
    """Neither is there noise that nobody paid for: the audit would not see half of the noise behind it."""
    one = bench(mechanism)
    measured = np.mean([one.audit().measured for _ in range(4)])
    error = np.sqrt((4 + one.claimed**2) / one.count / 4)
    assert abs(measured - one.claimed) < 6 * error


def scores(mu, count, random):
    included = random.random(count) < 0.5
    return random.normal(size=count) + mu * included, included


def test_the_lower_bound_holds_as_often_as_it_says():
    random = np.random.default_rng(3)
    above = sum(mu_test(*scores(2.0, 400, random), 2.0, confidence=0.9).flagged for _ in range(400))
    assert above == pytest.approx(40, abs=20)


def test_the_chance_of_missing_is_what_it_says():
    random = np.random.default_rng(4)
    missed = sum(not mu_test(*scores(2.5, 400, random), 2.0, confidence=0.9).flagged for _ in range(400))
    assert missed / 400 == pytest.approx(chance_of_missing(2.0, 2.5, 400, confidence=0.9), abs=0.08)


def test_without_noise_the_bound_is_infinite():
    included = np.arange(20) % 2 == 0
    assert mu_test(included * 1.0, included, 100.0).lower == np.inf
    assert not mu_test(np.zeros(20), included, 0.1).flagged
    assert mu_test(included + 1e-9 * np.arange(20), included, 1e6).flagged


def test_an_audit_of_almost_nobody_is_none():
    with pytest.raises(ValueError, match="canaries"):
        mu_test(np.zeros(4), np.array([True, True, False, False]), 1.0)
