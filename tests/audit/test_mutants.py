"""Broken engines: each is the real one with one seam broken, and the audit has to flag each.

What each does to μ, and so with what chance it is missed, is in ``docs/audit.md``; the least of them doubles it, and is
missed with less than 1e-9. Noise at 0.8 or 0.9 of its size takes more canaries: those are in the large form.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import lru_cache, partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms import computation, noise, randomness
from flip_sdk.mechanisms.audit import chance_of_missing
from flip_sdk.mechanisms.bookkeeping.sink import Sink
from flip_trust.engine.worker import _Job

from tests.audit.canaries import DP_SGD, crowd
from tests.audit.test_mu import alarm
from tests.audit.test_noise_of_releases import noise_of, sampled_afresh, unrelated

BOTH = ("full_batch", "dp_sgd")


def no_noise(patch):
    patch.setattr(noise, "gaussian", lambda shape, _scale: np.zeros(shape))


def one_draw_for_all_numbers(patch):
    honest = noise.gaussian
    patch.setattr(noise, "gaussian", lambda shape, scale: np.full(shape, honest((1,), scale)))


def noise_drawn_once(patch):
    kept = lru_cache(noise.gaussian)
    patch.setattr(noise, "gaussian", lambda shape, scale: kept(shape, scale).copy())


def noise_of_size(share, patch):
    honest = noise.gaussian
    patch.setattr(noise, "gaussian", lambda shape, scale: honest(shape, share * scale))


def double_clip(patch):
    honest = computation.clipped_sum
    patch.setattr(
        computation,
        "clipped_sum",
        lambda model, weights, people, loss, clip, *rest: honest(model, weights, people, loss, 2 * clip, *rest),
    )


def clipping_per_batch(patch):
    honest = computation.clipped_sum

    def broken(model, weights, people, loss, clip, *rest):
        sums = honest(model, weights, people, loss, 1e9, *rest)
        norm = np.sqrt(sum(np.square(value).sum() for value in sums.values()))
        return {name: value * people.persons * clip / norm for name, value in sums.items()}

    patch.setattr(computation, "clipped_sum", broken)


def clipping_per_record(patch):
    honest = computation.clipped_sum
    patch.setattr(
        computation,
        "clipped_sum",
        lambda model, weights, people, *rest: honest(model, weights, replace(people, rows=None), *rest),
    )


def noise_before_clipping(patch):
    """Every gradient gets the noise, is clipped, and the sum gets none."""
    honest, draw = Sink.add_clipped, noise.gaussian

    def broken(self, sums, clip, counted):
        for key, gradient in self.gradients.items():
            self.gradients[key] = gradient + torch.from_numpy(draw(tuple(gradient.shape), 2 * clip)).float()
        honest(self, sums, clip, counted)

    patch.setattr(Sink, "add_clipped", broken)
    no_noise(patch)


def twice_the_sampling_rate(patch):
    honest = computation.uniform
    patch.setattr(computation, "uniform", lambda count: honest(count) / 2)


def one_sample_for_all_steps(patch):
    patch.setattr(computation, "uniform", lru_cache(computation.uniform))


def seeded_by_the_message(patch):
    honest = _Job._do

    def broken(self, header, payload):
        stream = np.random.default_rng(zlib.crc32(payload))
        patch.setattr(randomness, "os", SimpleNamespace(urandom=stream.bytes))
        return honest(self, header, payload)

    patch.setattr(_Job, "_do", broken)


MUTANTS = {
    "no noise": (no_noise, BOTH),
    "one draw for all numbers": (one_draw_for_all_numbers, BOTH),
    "noise drawn once": (noise_drawn_once, BOTH),
    "half the noise": (partial(noise_of_size, 0.5), BOTH),
    "double clip": (double_clip, BOTH),
    "clipping per batch": (clipping_per_batch, BOTH),
    "twice the sampling rate": (twice_the_sampling_rate, ("dp_sgd",)),
}
CASES = [(mutant, mechanism) for mutant, (_, mechanisms) in MUTANTS.items() for mechanism in mechanisms]


@pytest.mark.parametrize(("mutant", "mechanism"), CASES)
def test_a_broken_engine_is_flagged(bench, monkeypatch, mutant, mechanism):
    one = bench(mechanism)
    MUTANTS[mutant][0](monkeypatch)
    assert alarm(one.audit)


@pytest.mark.parametrize("mechanism", BOTH)
def test_ten_records_of_one_person_clipped_one_by_one_are_flagged(bench, monkeypatch, mechanism):
    one, ten_each = bench(mechanism, count=300), partial(crowd, rows=10)
    assert not alarm(lambda: one.audit(people=ten_each))
    clipping_per_record(monkeypatch)
    assert alarm(lambda: one.audit(people=ten_each))


@pytest.mark.parametrize("mechanism", BOTH)
def test_noise_before_clipping_is_flagged(bench, monkeypatch, mechanism):
    one = bench(mechanism, "general")
    noise_before_clipping(monkeypatch)
    assert alarm(one.audit)


def test_noise_seeded_by_a_message_is_seen_at_two_trusts(bench, monkeypatch):
    """Its size is right and its scores are: only side by side is it found out."""
    pairs = [(bench(mechanism), bench(mechanism, number=1)) for mechanism in BOTH]
    seeded_by_the_message(monkeypatch)
    for one, other in pairs:
        assert not unrelated(noise_of(one, 2), noise_of(other, 2))


@pytest.mark.parametrize("mechanism", BOTH)
def test_noise_drawn_once_is_seen_from_step_to_step(bench, monkeypatch, mechanism):
    one = bench(mechanism)
    noise_drawn_once(monkeypatch)
    drawn = noise_of(one, 2)
    assert not unrelated(drawn[0], drawn[1])


def test_one_sample_for_all_steps_is_seen_in_the_spread(bench, monkeypatch):
    one = bench("dp_sgd")
    one_sample_for_all_steps(monkeypatch)
    assert not sampled_afresh(one)


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", BOTH)
@pytest.mark.parametrize("share", [0.8, 0.9])
def test_a_little_less_noise_is_flagged_by_many_canaries(bench, monkeypatch, mechanism, share):
    """4,000 canaries, and four runs for one verdict."""
    rounds = 10 if mechanism == "full_batch" else 2
    one = bench(mechanism, count=4000, epsilon=60.0, rounds=rounds)
    assert chance_of_missing(one.claimed, one.claimed / share, 16_000) < 1e-9
    assert not alarm(lambda: one.audit(4))
    noise_of_size(share, monkeypatch)
    assert alarm(lambda: one.audit(4))


@pytest.mark.parametrize("mechanism", BOTH)
def test_what_doubles_the_distance_is_hardly_ever_missed(bench, mechanism):
    claimed = bench(mechanism).claimed
    assert chance_of_missing(claimed, 2 * claimed, 1000) < 1e-9


def test_the_small_form_is_of_the_size_that_the_reckoning_is_for(bench):
    assert bench("dp_sgd").event.steps == 2 * DP_SGD.local_steps == 50
    assert bench("full_batch").claimed == pytest.approx(bench("full_batch", rounds=50).claimed, rel=0.01)
