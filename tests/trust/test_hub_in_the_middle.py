"""What a hub that was broken into gets out of Trusts that share noise."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.secure_sum.keys import EphemeralKey
from flip_sdk.secure_sum.roster import build_roster
from safetensors.numpy import save

from tests.trust.circle import NAMES, Circle, make_trusts, refusal
from tests.trust.world import train_spec

THREE = NAMES[:3]


@pytest.fixture
def circle(tmp_path, hub) -> Circle:
    return Circle(hub, make_trusts(tmp_path, hub))


@pytest.fixture
def roster(circle) -> bytes:
    return circle.keys()


def test_a_key_of_its_own_in_place_of_a_trusts(circle, roster):
    """The hub signs a key of its own as 'carrick' with an identity key of its own making."""
    middle, key = SigningKey.generate(), EphemeralKey.generate()
    share, _ = circle.ask("carrick", circle.hub.parts(circle.job, "keys", trust="carrick"))
    forged = middle.sign(share.model_copy(update={"public_key": key.public_hex}))
    planted = build_roster(circle.tokens | {"carrick": forged})

    assert refusal(circle, "aldgate", circle.parts("aldgate", "prepare", roster=planted)) == (
        RefusalCode.PEER_NOT_CONFIRMED
    )


def test_a_trust_of_its_own_making(circle, roster):
    """It enrols a fifth Trust of its own: no operator confirmed it."""
    mine = SigningKey.generate()
    share, _ = circle.ask("carrick", circle.hub.parts(circle.job, "keys", trust="carrick"))
    fifth = mine.sign(share.model_copy(update={"trust": "evil", "public_key": EphemeralKey.generate().public_hex}))
    planted = build_roster(circle.tokens | {"evil": fifth})

    assert refusal(circle, "aldgate", circle.parts("aldgate", "prepare", roster=planted)) == (
        RefusalCode.PEER_NOT_CONFIRMED
    )


def test_a_job_with_a_trust_that_is_not_confirmed_gets_no_key(circle):
    circle.job = circle.hub.job(circle.spec, trusts=(*NAMES, "evil"))

    parts = circle.hub.parts(circle.job, "keys", trust="aldgate")
    assert refusal(circle, "aldgate", parts) == RefusalCode.PEER_NOT_CONFIRMED


def test_an_old_jobs_roster(circle, roster):
    other = Circle(circle.hub, circle.trusts)
    other.keys()

    assert refusal(other, "aldgate", other.parts("aldgate", "prepare", roster=roster)) == RefusalCode.ROSTER_REFUSED


def test_a_roster_that_is_not_the_one_named(circle, roster):
    parts = circle.parts("aldgate", "prepare", roster=roster)
    for changed in (parts | {"roster": roster + b" "}, {k: v for k, v in parts.items() if k != "roster"}):
        assert refusal(circle, "aldgate", changed) == RefusalCode.ROSTER_REFUSED


def test_a_second_roster_for_one_job(circle, roster):
    """Good keys, good signatures, but a Trust less than at first: a job's roster does not change."""
    circle.masked("prepare", roster=roster)
    smaller = build_roster({name: circle.tokens[name] for name in THREE})

    parts = circle.parts("aldgate", "train", 1, roster=smaller, summed=THREE)
    assert refusal(circle, "aldgate", parts) == RefusalCode.ROSTER_REFUSED


def test_a_sum_over_too_few_or_without_us_or_with_a_stranger(circle, roster):
    for summed in (NAMES[:2], ("aldgate",), NAMES[1:], ("aldgate", "brookfield", "evil"), NAMES[::-1]):
        parts = circle.parts("aldgate", "prepare", roster=roster, summed=summed)
        assert refusal(circle, "aldgate", parts) == RefusalCode.ROSTER_REFUSED


def test_a_sum_over_a_trust_that_the_roster_lacks(circle):
    roster = circle.keys(*THREE)

    parts = circle.parts("aldgate", "prepare", roster=roster, summed=NAMES)
    assert refusal(circle, "aldgate", parts) == RefusalCode.ROSTER_REFUSED


def test_a_task_that_leaves_the_sum_out_gets_no_numbers(circle, roster):
    """Without roster and set it would be a task with full noise, which nobody paid for."""
    for changes in ({"roster": None}, {"summed": ()}, {"sum_attempt": 0}):
        about = {"trust": "aldgate", "roster": digest(roster), "summed": NAMES, "sum_attempt": 1} | changes
        parts = circle.hub.prepare(circle.job, **about) | {"roster": roster}
        assert refusal(circle, "aldgate", parts) == RefusalCode.BAD_RECORD


def test_a_job_with_local_noise_takes_no_sum(circle, roster):
    local = Circle(circle.hub, circle.trusts, train_spec())

    parts = local.parts("aldgate", "prepare", roster=roster)
    assert refusal(local, "aldgate", parts) == RefusalCode.BAD_RECORD
    assert refusal(local, "aldgate", local.hub.parts(local.job, "keys")) == RefusalCode.BAD_RECORD


def test_different_sets_for_different_trusts_say_nothing(circle, roster):
    """Two are told one set, the third another: whatever is added up, masks of some pair are left."""
    one = {n: circle.ask(n, circle.parts(n, "prepare", roster=roster, summed=THREE)) for n in THREE[:2]}
    two = circle.ask("carrick", circle.parts("carrick", "prepare", roster=roster, summed=NAMES[1:]))
    total = circle.total("prepare", {n: a[1]["masked"] for n, a in one.items()} | {"carrick": two[1]["masked"]})

    assert min(float(np.abs(value).min()) for value in total.values()) > 1e9


def test_the_same_try_over_another_set_is_refused(circle, roster):
    circle.masked("prepare", roster=roster)

    parts = circle.parts("aldgate", "prepare", roster=roster, summed=THREE)
    assert refusal(circle, "aldgate", parts) == RefusalCode.OUT_OF_ORDER


def test_the_same_try_for_other_weights_is_refused(circle, roster):
    circle.masked("prepare", roster=roster)
    circle.masked("train", 1, roster=roster)
    other = save({"weight": np.ones((1, 2), np.float32), "bias": np.zeros(1, np.float32)})
    parts = circle.parts("aldgate", "train", 1, roster=roster, weights=other)
    assert refusal(circle, "aldgate", parts) == RefusalCode.OUT_OF_ORDER


def test_differencing_one_trust_out_costs_a_paid_try_with_fresh_noise(circle, roster):
    """All four, then the same round over three: no noise of the first is in the second, and that was the spare try."""
    circle.masked("prepare", roster=roster)
    first = circle.masked("train", 1, roster=roster)
    second = circle.masked("train", 1, roster=roster, summed=THREE, attempt=2)

    for name in THREE:
        # exact numbers are all zero, so what is under the masks is the Trust's noise alone
        before = circle.unmasked(name, first[name], circle.context("train", 1, roster))
        after = circle.unmasked(name, second[name], circle.context("train", 1, roster, summed=THREE, attempt=2))
        assert 0 < np.abs(before).max() < 1e9
        assert (before != after).any()
    older = circle.parts("aldgate", "train", 1, roster=roster, summed=("aldgate", "brookfield", "dunmore"))
    assert refusal(circle, "aldgate", older) == RefusalCode.OUT_OF_ORDER


def test_tries_end_with_what_was_paid(circle, roster):
    """Three rounds and one spare: four sums, wherever the hub spends them."""
    circle.masked("prepare", roster=roster)
    for attempt in (1, 2, 3, 4):
        circle.masked("train", 1, roster=roster, attempt=attempt)

    parts = circle.parts("aldgate", "train", 1, roster=roster, attempt=5)
    assert refusal(circle, "aldgate", parts) == RefusalCode.BUDGET_EXCEEDED
    assert refusal(circle, "aldgate", circle.parts("aldgate", "train", 2, roster=roster)) == (
        RefusalCode.BUDGET_EXCEEDED
    )


def test_the_preparation_has_one_spare(circle, roster):
    for attempt in (1, 2):
        circle.masked("prepare", roster=roster, attempt=attempt)

    parts = circle.parts("aldgate", "prepare", roster=roster, attempt=3)
    assert refusal(circle, "aldgate", parts) == RefusalCode.BUDGET_EXCEEDED


def test_an_older_try_after_a_newer_one(circle, roster):
    circle.masked("prepare", roster=roster, attempt=2)

    assert refusal(circle, "aldgate", circle.parts("aldgate", "prepare", roster=roster)) == RefusalCode.OUT_OF_ORDER
