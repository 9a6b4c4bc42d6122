"""Noise shares: what the hub, and those who work with it, can make of what honest Trusts send.

The guarantee is audited at its edge: one of four Trusts has dropped out or works with the hub, and three shares are all
the noise there is. Chances are as in ``test_mu`` and ``test_noise_of_releases``.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.mechanisms.audit import chance_of_missing
from flip_sdk.secure_sum.encoding import Encoding
from flip_sdk.secure_sum.masking import add_up, mask
from flip_trust import sums
from flip_trust.disclosure import shares
from flip_trust.errors import RefusedError
from safetensors.numpy import load, save
from scipy.stats import chisquare, norm, poisson

from tests.audit.bench import accept, release
from tests.audit.canaries import FULL_BATCH, scaling
from tests.audit.ring import KNOWN, NAMES, WATCHED, Ring
from tests.audit.test_mu import alarm

A, B, C, D = NAMES
ROUNDS = range(1, 6)
MANY = (1, 2) * 15


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    return Ring(tmp_path_factory.mktemp("ring"))


@pytest.fixture(scope="module")
def everybody(ring):
    return ring.sessions(np.ones(ring.count, dtype=bool))


def looks_uniform(words):
    """By the frequency of every byte at every place of a word, and from one word to the next."""
    content = words.ravel().view(np.uint8).reshape(-1, 8)
    places = [chisquare(np.bincount(place, minlength=256)).pvalue for place in content.T]
    numbers = words.ravel().astype(np.float64)
    together = abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 5.5 / math.sqrt(numbers.size)
    return min(places) > 1e-8 and together


def test_three_shares_are_not_flagged(ring):
    assert not alarm(lambda: ring.audit(colluding=(D,)))
    assert not alarm(lambda: ring.audit(summed=(A, B, C)))


def test_three_shares_are_what_is_claimed(ring):
    verdict = ring.audit(runs=2, colluding=(D,))
    assert abs(verdict.measured - ring.claimed) < 6 * math.sqrt((4 + ring.claimed**2) / 2 / (ring.count - KNOWN))


def test_shares_for_all_but_three_honest_trusts_are_flagged(ring, monkeypatch):
    """σ/K instead of σ/√h."""
    honest = Encoding.deviation
    monkeypatch.setattr(Encoding, "deviation", lambda self, multiplier: honest(self, multiplier) * math.sqrt(3) / 4)
    assert alarm(lambda: ring.audit(colluding=(D,)))
    assert chance_of_missing(ring.claimed, ring.claimed * 4 / math.sqrt(3), 560) < 1e-9


def test_a_sum_over_two_that_claims_three_is_refused_and_would_be_flagged(ring, monkeypatch):
    with pytest.raises(RefusedError):
        ring.accepted(A, 1, (A, B))
    monkeypatch.setattr(sums, "_covered", lambda *_: True)
    assert alarm(lambda: ring.audit(runs=6, summed=(A, B)))
    assert chance_of_missing(ring.claimed, ring.claimed * math.sqrt(3 / 2), 6 * 560) < 1e-9


def test_more_traitors_than_agreed_get_more_than_promised_and_no_more_than_the_second_figure(ring):
    """The ledger's second figure: all others work with the hub, and one share is all there is."""
    alone = math.sqrt(ring.rounds) / ring.event.noise_multiplier
    verdict = ring.audit(runs=2, colluding=(B, C, D))
    assert ring.claimed < verdict.lower < alone * 1.05


def share_of(ring, everybody, name):
    """One Trust's own noise, in its standard deviations: what it sends without masks and without its numbers."""
    encoding, drawn = ring.encoding, []
    for round_ in MANY:
        integers = (ring.masked(name, round_, everybody[name]) - ring.masks(name, round_)).view(np.int64)
        exact = np.zeros(ring.count)
        exact[: ring.count if name == WATCHED else KNOWN] = -0.1 if round_ % 2 else 0.1
        drawn.append((encoding.decode(integers) - exact) / ring.share)
    return np.array(drawn)


def tails_are_there(drawn):
    """How many are beyond three deviations and a little: a quantiser that clips leaves none."""
    expected, found = 2 * norm.sf(3.01) * drawn.size, (np.abs(drawn) > 3.01).sum()
    return min(poisson.cdf(found, expected), poisson.sf(found - 1, expected)) > 1e-9


@pytest.fixture(scope="module")
def shares_drawn(ring, everybody):
    return {name: share_of(ring, everybody, name) for name in (A, B)}


def test_a_share_has_its_size_and_its_tails(shares_drawn):
    for drawn in shares_drawn.values():
        assert drawn.std() == pytest.approx(1.0, abs=5.5 / math.sqrt(2 * drawn.size))
        assert tails_are_there(drawn)
        edges = norm.ppf(np.linspace(0, 1, 33))
        assert chisquare(np.histogram(drawn, edges)[0]).pvalue > 1e-8


def test_shares_of_two_trusts_and_of_two_rounds_are_unrelated(shares_drawn):
    one, other = shares_drawn[A], shares_drawn[B]
    between = np.corrcoef(np.concatenate([one, other]))[~np.eye(2 * len(one), dtype=bool)]
    assert np.abs(between).max() < 6.5 / math.sqrt(one.shape[1])


def test_a_quantiser_that_clips_the_noise_is_flagged(ring, everybody, monkeypatch):
    honest = shares.discrete_gaussian
    monkeypatch.setattr(
        shares, "discrete_gaussian", lambda shape, sigma: np.clip(honest(shape, sigma), int(-3 * sigma), int(3 * sigma))
    )
    assert not tails_are_there(share_of(ring, everybody, A))


def test_what_one_trust_sends_is_uniform_to_the_hub(ring, everybody):
    sent = np.array([ring.masked(WATCHED, round_, everybody[WATCHED]) for round_ in ROUNDS])
    assert looks_uniform(sent)
    assert looks_uniform(sent[1:] - sent[:-1])


def test_without_masks_it_would_not_be(ring, everybody):
    """The test of uniformity can fail."""
    sent = np.array([ring.masked(A, r, everybody[A]) - ring.masks(A, r) for r in ROUNDS])
    assert not looks_uniform(sent)


def known_to_traitors(ring, everybody, name, round_, traitors=(C, D)):
    """What two Trusts and the hub make of an honest one's numbers: they take off every mask that one of them shares."""
    sent = ring.masked(name, round_, everybody[name])
    return sent + sum(ring.between(traitor, name, round_) for traitor in traitors)


def test_two_traitors_and_the_hub_learn_the_sum_of_the_honest_and_nothing_more(ring, everybody):
    one = np.array([known_to_traitors(ring, everybody, A, round_) for round_ in ROUNDS])
    other = np.array([known_to_traitors(ring, everybody, B, round_) for round_ in ROUNDS])
    for mixture in (one, other, one - other, 3 * one + other, one[1:] - one[:-1], one[1:] + other[:-1]):
        assert looks_uniform(mixture)

    exact = np.where(np.arange(ring.count) < KNOWN, 0.2, 0.1) * np.where(np.array(ROUNDS) % 2, -1, 1)[:, None]
    left = np.array([ring.encoding.decode(add_up([a, b])) for a, b in zip(one, other, strict=True)]) - exact
    assert left.std() == pytest.approx(ring.share * math.sqrt(2), abs=5.5 * ring.share / math.sqrt(left.size))
    assert abs(left.mean()) < 5.5 * ring.share * math.sqrt(2 / left.size)


def test_a_round_asked_twice_has_fresh_noise_in_both_sums(ring, everybody):
    """With a Trust and without it: the difference carries the noise of seven shares, and both sums were paid for."""
    differences = []
    for round_ in ROUNDS:
        with_d = ring.seen(round_, everybody)
        without_d = ring.seen(round_, everybody, summed=(A, B, C))
        differences.append(with_d - without_d)
    apart = np.array(differences)[:, KNOWN:]
    expected = ring.share * math.sqrt(7)
    assert apart.std() == pytest.approx(expected, abs=5.5 * expected / math.sqrt(2 * apart.size))
    assert ring.event.steps == ring.rounds + ring.spare


def test_nor_do_the_masks_of_two_tries_have_anything_in_common(ring):
    """Not even for the Trust that dropped out, which knows its own mask of the first."""
    first = np.array([ring.masks(A, r) + ring.between(D, A, r) for r in ROUNDS])
    second = np.array([ring.masks(A, r, (A, B, C)) for r in ROUNDS])
    assert looks_uniform(first - second)
    assert looks_uniform(first + second)


@pytest.mark.parametrize("weight", [3e38, -3e38, 1e-45])
def test_no_weights_drive_a_sum_out_of_the_ring(ring, everybody, weight):
    """Every person counts for a clip and no more, so that the integers of all of them are far from its edge."""
    about = {"summed": NAMES, "scaling": scaling(ring.count), "graph": ring.exported.graph}
    weights = save({name: np.full_like(value, weight) for name, value in load(ring.exported.weights).items()})
    accepted = accept(
        ring.circle.trusts[WATCHED],
        ring.circle.parts(WATCHED, "train", 6, roster=ring.roster, weights=weights, **about),
    )
    key, publics, context = accepted.sharing.key, accepted.sharing.publics, accepted.sharing.context
    masks = mask(np.zeros(ring.count, dtype=np.uint64), key, publics, WATCHED, context)
    sent = release(ring.circle.trusts[WATCHED], accepted, everybody[WATCHED])
    numbers = ring.encoding.decode((sent - masks).view(np.int64))
    assert np.abs(numbers).max() < FULL_BATCH.max_grad_norm + 8 * ring.share
