from __future__ import annotations

import pytest
from flip_sdk.accounting.calibrate import SMALLEST_SHARE, calibrate, event_for
from flip_sdk.accounting.composition import counted, epsilon_of
from flip_sdk.accounting.events import Gaussian, PoissonGaussian, Pure
from flip_sdk.contract.jobs import DPSGD, FullBatch, Privacy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trust.world import count_spec, evaluate_spec, train_spec


def cost(spec, delta: float) -> float:
    return epsilon_of(counted(debit.event for debit in calibrate(spec)), delta)


@given(
    epsilon=st.floats(0.05, 50),
    delta=st.sampled_from([1e-7, 1e-5, 1e-3]),
    rounds=st.integers(2, 500),
    share=st.floats(0, 0.9),
)
@settings(max_examples=50, deadline=None)
def test_a_full_batch_job_costs_what_it_asks(epsilon, delta, rounds, share):
    privacy = Privacy(epsilon=epsilon, delta=delta, scaling_share=share)

    assert 0.99 * epsilon <= cost(train_spec(privacy=privacy, rounds=rounds), delta) <= epsilon


@pytest.mark.parametrize("epsilon", [0.3, 3.0, 20.0])
@pytest.mark.parametrize("rate", [0.02, 0.5, 1.0])
def test_a_dp_sgd_job_costs_what_it_asks(epsilon, rate):
    mechanism = DPSGD(sampling_rate=rate, local_steps=5)
    spec = train_spec(privacy=Privacy(epsilon=epsilon, mechanism=mechanism), rounds=10)

    assert 0.99 * epsilon <= cost(spec, 1e-5) <= epsilon
    assert calibrate(spec)[1].event.steps == 50


def test_counts_and_evaluations_are_pure():
    assert [debit.event for debit in calibrate(count_spec(epsilon=0.7))] == [Pure(epsilon=0.7)]
    assert [debit.event for debit in calibrate(evaluate_spec(epsilon=1.5))] == [Pure(epsilon=1.5)]


def test_the_share_of_prepare():
    prepare, train = (debit.event for debit in calibrate(train_spec(rounds=20)))
    rho = [event.steps / event.noise_multiplier**2 for event in (prepare, train)]

    assert rho[0] / sum(rho) == pytest.approx(0.2)


def test_a_person_count_is_never_free():
    privacy = Privacy(scaling="public_bounds", scaling_share=0)
    prepare, train = (debit.event for debit in calibrate(train_spec(privacy=privacy)))
    rho = [event.steps / event.noise_multiplier**2 for event in (prepare, train)]

    assert rho[0] / sum(rho) == pytest.approx(SMALLEST_SHARE)


def test_it_is_deterministic():
    spec = train_spec(privacy=Privacy(epsilon=1.7, mechanism=DPSGD()))
    first = calibrate(spec)
    calibrate.cache_clear()

    assert calibrate(spec) == first


def test_which_event_pays_for_which_step():
    assert isinstance(event_for(train_spec(), "prepare"), Gaussian)
    assert event_for(train_spec(privacy=Privacy(mechanism=FullBatch())), "train").steps == 3
    assert isinstance(event_for(train_spec(privacy=Privacy(mechanism=DPSGD())), "train"), PoissonGaussian)
    with pytest.raises(KeyError):
        event_for(count_spec(), "train")
