"""Rounds from state to state: the arithmetic of the design, resumable to the byte."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.jobs import DPSGD, FullBatch
from flip_sdk.mechanisms.aggregate import average, current_weights, descend, start, trained_weights
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

STEP = FullBatch(learning_rate=2.0, max_grad_norm=0.5)
LOCAL = DPSGD(learning_rate=0.5, local_steps=4)
SILENT = {"a": 0.0, "b": 0.0}
FIRST = {"noise": SILENT, "round_number": 1, "rounds": 4}
EARLY = {"round_number": 1, "rounds": 4}
PERSONS = {"a": 10.0, "b": 30.0}


def weights(w=(1.0, -1.0)):
    return save({"w": np.array(w, dtype=np.float32), "position": np.array([7, 8], dtype=np.int64)})


def sums(a, b):
    return {"a": {"w": np.array(a, dtype=np.float64)}, "b": {"w": np.array(b, dtype=np.float64)}}


def test_a_state_starts_with_the_given_weights():
    assert {k: v.tolist() for k, v in load(current_weights(start(weights()))).items()} == {
        "w": [1.0, -1.0],
        "position": [7, 8],
    }
    assert trained_weights(start(weights())) == current_weights(start(weights()))


def test_one_step_follows_the_rule():
    state, numbers = descend(start(weights()), sums([4, 0], [0, 8]), PERSONS, STEP, **FIRST)
    assert load(current_weights(state))["w"] == pytest.approx([1 - 2 * 4 / 20, -1 - 2 * 8 / 20])
    assert numbers["gradient_norm"] == pytest.approx(np.hypot(4, 8) / 20)


def test_only_trusts_that_answered_count():
    alone = {"a": sums([4, 0], [0, 0])["a"]}
    state, _ = descend(start(weights()), alone, PERSONS, STEP, **FIRST)
    assert load(current_weights(state))["w"] == pytest.approx([1 - 2 * 4 / 5, -1])


@pytest.mark.parametrize(("rounds", "averaged"), [(1, [1]), (2, [2]), (3, [2, 3]), (4, [3, 4]), (20, range(11, 21))])
def test_the_iterates_of_the_last_half_are_averaged(rounds, averaged):
    state, seen = start(weights()), []
    for number in range(1, rounds + 1):
        pull = sums([number, 0], [0, 1])
        state, _ = descend(state, pull, PERSONS, STEP, noise=SILENT, round_number=number, rounds=rounds)
        seen.append(load(current_weights(state))["w"])
    expected = np.mean([seen[number - 1] for number in averaged], axis=0)
    assert load(trained_weights(state))["w"] == pytest.approx(expected, rel=1e-5)


def test_constants_of_the_model_never_change():
    state, _ = descend(start(weights()), sums([4, 0], [0, 8]), PERSONS, STEP, noise=SILENT, round_number=1, rounds=1)
    for read in (current_weights, trained_weights):
        held = load(read(state))
        assert held["position"].dtype == np.int64
        assert held["position"].tolist() == [7, 8]
        assert held["w"].dtype == np.float32


def test_changes_are_averaged_by_persons():
    state, numbers = average(start(weights()), sums([4, 0], [0, 8]), PERSONS, LOCAL, **EARLY)
    assert load(current_weights(state))["w"] == pytest.approx([1 + 4 * 0.25, -1 + 8 * 0.75])
    assert numbers["update_norm"] == pytest.approx(np.hypot(1, 6))
    assert trained_weights(state) == current_weights(state)


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_the_same_updates_make_the_same_bytes_in_any_order(numbers):
    parts = sums(numbers[:2], numbers[2:])
    backwards = dict(reversed(parts.items()))
    one = descend(start(weights()), parts, PERSONS, STEP, noise=SILENT, round_number=1, rounds=1)
    other = descend(start(weights()), backwards, PERSONS, STEP, noise=SILENT, round_number=1, rounds=1)
    assert one == other
    local = [average(start(weights()), order, PERSONS, LOCAL, **EARLY) for order in (parts, backwards)]
    assert local[0] == local[1]


def test_iterates_keep_their_double_precision_between_rounds():
    state = start(weights())
    for number in range(1, 101):
        tiny = sums([1e-9, 0], [0, 0])
        state, _ = descend(state, tiny, PERSONS, STEP, noise=SILENT, round_number=number, rounds=1000)
    moved = load(state)["now/w"][0] - 1
    assert moved == pytest.approx(-100 * 2 * 1e-9 / 20, rel=1e-6)


@pytest.mark.parametrize("persons", [{"a": -5.0, "b": 0.0}, {"a": 0.2, "b": 0.1}])
def test_counts_that_noise_made_absurd_do_not_blow_up(persons):
    state, _ = descend(start(weights()), sums([1, 0], [0, 1]), persons, STEP, noise=SILENT, round_number=1, rounds=1)
    assert np.abs(load(current_weights(state))["w"]).max() < 10


CENTRES = np.array([[2.0, 1.0], [-1.0, 0.5]])


def quadratic(w):
    """Loss and gradients of one person at each Trust, each pulling towards a centre of its own."""
    return float(np.square(w - CENTRES).sum() / 4), {"a": {"w": (w - CENTRES[0])}, "b": {"w": (w - CENTRES[1])}}


def test_the_change_of_the_loss_is_exact_where_the_loss_is_quadratic_and_nothing_is_noisy():
    state, step = start(weights()), FullBatch(learning_rate=0.3, max_grad_norm=2.0)
    first, persons = quadratic(np.array([1.0, -1.0]))[0], {"a": 1.0, "b": 1.0}
    for number in range(1, 11):
        loss, slopes = quadratic(load(state)["now/w"].astype(np.float64))
        state, numbers = descend(state, slopes, persons, step, noise=SILENT, round_number=number, rounds=10)
        assert numbers["loss_change"] == pytest.approx(loss - first, abs=1e-6)
    assert numbers["loss_change"] < -0.1


def test_the_noise_does_not_bias_the_change_of_the_loss():
    generator, step = np.random.default_rng(3), FullBatch(learning_rate=0.5, max_grad_norm=1.0)
    noise, persons, errors = {"a": 0.4, "b": 0.3}, {"a": 1.0, "b": 1.0}, []
    for _ in range(1500):
        state, first = start(weights()), None
        for number in range(1, 4):
            loss, exact = quadratic(load(state)["now/w"].astype(np.float64))
            first = loss if first is None else first
            noisy = {t: {"w": exact[t]["w"] + generator.normal(0, noise[t], 2)} for t in noise}
            state, numbers = descend(state, noisy, persons, step, noise=noise, round_number=number, rounds=3)
        errors.append(numbers["loss_change"] - (loss - first))
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors))
    # without taking off what the noise adds, it would be seen
    assert 4 * np.std(errors) / np.sqrt(len(errors)) < 0.5 * 0.5 * 2 * (0.4**2 + 0.3**2) / 4


def test_after_local_steps_a_convex_loss_fell_at_least_as_far_as_is_told():
    state, local = start(weights()), DPSGD(learning_rate=0.1, local_steps=3)
    first, persons = quadratic(np.array([1.0, -1.0]))[0], {"a": 1.0, "b": 1.0}
    for number in range(1, 9):
        now = load(state)["now/w"].astype(np.float64)
        deltas = {t: {"w": (0.9**3 - 1) * (now - centre)} for t, centre in zip("ab", CENTRES, strict=True)}
        state, numbers = average(state, deltas, persons, local, round_number=number, rounds=8)
        change = quadratic(now)[0] - first
        assert change - 1e-6 <= numbers["loss_change"] <= (0 if number == 1 else 0.3 * change)
