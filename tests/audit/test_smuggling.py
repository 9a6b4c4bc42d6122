"""Models that are made to carry one person's data out of a Trust, through the Trust's own way to a release.

A gradient of which a single number names somebody's value, gradients as large as numbers get, gradients that are not
numbers for whoever has a certain value: each is clipped like any other and hidden by the same noise. Broken engines
show that the attacks would work. That size and time tell nothing is in ``test_channels``; indices out of range and
refusals are in ``tests/trust/engine/test_hostile_graphs``.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.bookkeeping.sink import Factored, Sink
from flip_trust.engine.records import EngineError

from tests.audit.canaries import SMUGGLING, crowd
from tests.audit.test_mu import alarm

BOTH = ("full_batch", "dp_sgd")
COUNT = 400


@pytest.fixture
def smuggler(bench):
    return lambda mechanism, form: bench(mechanism, form, count=COUNT)


def mean_norms(patch):
    """The root of the mean square instead of the sum's: right within a constant, but for gradients of few numbers."""
    honest = Sink.squares
    patch.setattr(Sink, "squares", lambda self: honest(self) / COUNT)


def norms_that_overflow(patch):
    """Norms in float32: where one is beyond it, the comparison with the clip is lost, and nobody is clipped."""

    def coarse(self):
        left, right = (part.square().sum(dim=(1, 2)) for part in (self.left, self.right))
        return torch.nan_to_num(left * right, nan=0.0, posinf=0.0).double()

    patch.setattr(Factored, "squares", coarse)


def sums_that_are_poisoned(patch):
    """Who is not a number is added like anybody else."""

    def broken(self, sums, clip, counted):
        factors = clip / self.squares().sqrt().clamp(min=clip)
        for key, total in self._weighted_sums(factors, torch.zeros(0, dtype=torch.int64)):
            sums[key].add_(total)

    patch.setattr(Sink, "add_clipped", broken)


def stopped(audit):
    """Whether what a worker answers is beyond what its persons can make together."""
    try:
        audit()
    except EngineError:
        return True
    return False


@pytest.mark.parametrize("mechanism", BOTH)
@pytest.mark.parametrize("form", SMUGGLING)
def test_it_carries_no_more_than_was_paid_for(smuggler, mechanism, form):
    assert not alarm(smuggler(mechanism, form).audit)


@pytest.mark.parametrize("mechanism", BOTH)
@pytest.mark.parametrize(("form", "mutant"), [("one-hot", mean_norms), ("huge", norms_that_overflow)])
def test_a_broken_engine_is_found_out(smuggler, monkeypatch, mechanism, form, mutant):
    """By the audit, or at the worker's door before it."""
    one = smuggler(mechanism, form)
    mutant(monkeypatch)
    assert stopped(one.audit) or alarm(one.audit)


@pytest.mark.parametrize("mechanism", BOTH)
def test_who_is_not_a_number_counts_as_zero_and_nobody_is_refused_for_it(smuggler, mechanism):
    one = smuggler(mechanism, "not a number")
    poisoned = np.arange(COUNT) < COUNT // 2
    scores = one.scores(crowd(poisoned)) / one.noise / math.sqrt(one.rounds)
    assert abs(scores.mean()) < 5.5 / math.sqrt(COUNT)
    assert abs(scores[poisoned].mean() - scores[~poisoned].mean()) < 11 / math.sqrt(COUNT)


def test_an_engine_that_refused_would_tell_it(smuggler, monkeypatch):
    one, somebody = smuggler("full_batch", "not a number"), np.arange(COUNT)
    sums_that_are_poisoned(monkeypatch)
    assert np.isfinite(one.release(one.session(crowd(somebody == COUNT - 1)), 1)).all()
    with pytest.raises(EngineError):
        one.release(one.session(crowd(somebody == 0)), 1)
