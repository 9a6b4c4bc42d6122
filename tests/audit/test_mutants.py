"""Broken engines: each is the real one with one seam broken, and the audit has to flag each.

A mutant is missed with the chance that one of three runs is not flagged: ``MISSES`` by the noncentral t distribution,
below 1e-6 for each.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
import pytest
from flip_sdk.mechanisms import computation, noise
from flip_trust.engine.worker import _Job

from tests.audit.test_mu import alarm
from tests.audit.test_noise_of_releases import noise_of, unrelated

BOTH = ("full_batch", "dp_sgd")


def no_noise(patch):
    patch.setattr(noise, "gaussian", lambda shape, _scale: np.zeros(shape))


def one_draw_for_all_numbers(patch):
    honest = noise.gaussian
    patch.setattr(noise, "gaussian", lambda shape, scale: np.full(shape, honest((1,), scale)))


def noise_drawn_once(patch):
    patch.setattr(noise, "gaussian", lru_cache(noise.gaussian))


def half_the_noise(patch):
    honest = noise.gaussian
    patch.setattr(noise, "gaussian", lambda shape, scale: honest(shape, scale / 2))


def double_clip(patch):
    honest = computation.clipped_sum
    patch.setattr(computation, "clipped_sum", lambda *args: honest(*args[:-1], 2 * args[-1]))


def clipping_per_batch(patch):
    honest = computation.clipped_sum

    def broken(model, weights, features, labels, loss, clip):
        sums = honest(model, weights, features, labels, loss, 1e9)
        norm = np.sqrt(sum(np.square(value).sum() for value in sums.values()))
        return {name: value * len(features) * clip / norm for name, value in sums.items()}

    patch.setattr(computation, "clipped_sum", broken)


def twice_the_sampling_rate(patch):
    honest = computation.uniform
    patch.setattr(computation, "uniform", lambda count: honest(count) / 2)


def seeded_by_the_message(patch):
    honest = _Job._do

    def broken(self, header, payload):
        stream = np.random.default_rng(zlib.crc32(payload))
        patch.setattr(noise, "_words", lambda count: stream.integers(0, 2**64, count, dtype=np.uint64))
        return honest(self, header, payload)

    patch.setattr(_Job, "_do", broken)


MUTANTS = {
    "no noise": (no_noise, BOTH),
    "one draw for all numbers": (one_draw_for_all_numbers, BOTH),
    "noise drawn once": (noise_drawn_once, BOTH),
    "half the noise": (half_the_noise, BOTH),
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
