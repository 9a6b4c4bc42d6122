"""A Trust's part in sums with noise shares, and what a hostile hub gets out of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.accounting.calibrate import event_for
from flip_sdk.contract.prepare import weight_of_count
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import RefusalCode, SafeUpdate
from flip_sdk.secure_sum.keys import EphemeralKey
from flip_sdk.secure_sum.layout import layout_of
from flip_sdk.secure_sum.masking import SumContext, key_stream
from flip_sdk.secure_sum.roster import build_roster, verify_roster
from flip_trust import consent, peers
from flip_trust.agent import jobs

from tests.trust.circle import NAMES, PARAMETERS, Circle, make_trusts, opt_in, refusal, shared_spec, sums_in
from tests.trust.world import GRAPH, PROJECT, train_spec

THREE = NAMES[:3]


@pytest.fixture
def circle(tmp_path, hub) -> Circle:
    return Circle(hub, make_trusts(tmp_path, hub))


@pytest.fixture
def roster(circle) -> bytes:
    return circle.keys()


def secret_of(circle, name: str) -> bytes | None:
    return circle.trusts[name].database.read("SELECT secret FROM sharing")[0]["secret"]


def test_the_sum_is_that_of_all_with_the_noise_of_all(circle, roster):
    total = circle.total("prepare", circle.masked("prepare", roster=roster))
    event, layout = event_for(circle.spec, "prepare", 4), layout_of(circle.spec, "prepare", {})
    deviation = event.noise_multiplier * layout.sensitivity * 2

    persons = sum(0.7 * (300 + 50 * number) for number in range(4))
    slack = 6 * deviation / weight_of_count(circle.spec) + 6 * math.sqrt(persons)
    assert abs(total["persons"][0] / weight_of_count(circle.spec) - persons) < slack
    assert set(total) == {"persons", "sum", "sum_of_squares"}


def test_noise_of_every_share_is_in_the_sum(circle, roster):
    """Of rounds whose exact numbers are all zero: the sum's spread is that of four shares, and every round's is new."""
    circle.masked("prepare", roster=roster)
    sums = [circle.total("train", circle.masked("train", number, roster=roster)) for number in (1, 2, 3)]
    numbers = np.concatenate([np.concatenate([s["weight"].ravel(), s["bias"]]) for s in sums])
    share = event_for(circle.spec, "train", 4).noise_multiplier * circle.spec.privacy.mechanism.max_grad_norm

    assert len(set(numbers.tolist())) == numbers.size
    # nine numbers: a chi-square's 1e-6 and 1 - 1e-6 quantiles, divided by nine
    assert 0.02 < float(np.square(numbers / (2 * share)).mean()) < 5.6


def test_a_claim_says_whose_noise_it_is(circle, roster):
    update, _ = circle.ask("aldgate", circle.parts("aldgate", "prepare", roster=roster))
    event = event_for(circle.spec, "prepare", 4)

    assert isinstance(update, SafeUpdate)
    assert (update.claim.mechanism, update.claim.honest) == ("shared_gaussian", 3)
    assert update.claim.noise_multiplier == event.noise_multiplier
    assert update.measures == ()


def test_one_trusts_numbers_alone_are_uniform(circle, roster):
    """Kept releases of three rounds and four Trusts, as bytes: no byte stands out (chi-square, 99.9999 %)."""
    masked = [circle.masked("prepare", roster=roster)]
    masked += [circle.masked("train", number, roster=roster) for number in (1, 2, 3)]
    content = np.concatenate([part.view(np.uint8) for parts in masked for part in parts.values()])
    high = content.reshape(-1, 8)[:, 7]

    assert np.square(np.bincount(high >> 5, minlength=8) - high.size / 8).sum() / (high.size / 8) < 40.5


def test_a_key_is_asked_for_again_and_stays_the_same(circle, roster):
    first = circle.tokens["aldgate"]
    circle.keys("aldgate")
    again = circle.tokens["aldgate"]

    assert first != again
    assert secret_of(circle, "aldgate") is not None
    own = EphemeralKey.from_bytes(secret_of(circle, "aldgate")).public_hex
    known = peers.keys(circle.trusts["brookfield"].database)
    for token in (first, again):
        tokens = circle.tokens | {"aldgate": token}
        publics = verify_roster(
            build_roster({n: tokens[n] for n in ("aldgate", "carrick", "dunmore")}),
            job_id=circle.job.job_id,
            trust="aldgate",
            own_public=own,
            peers=known,
        )
        assert publics["aldgate"] == own


def test_an_exchange_of_keys_costs_nothing_and_the_first_numbers_cost_the_job(circle, roster):
    trust = circle.trusts["aldgate"]
    assert trust.ledger() == []
    circle.masked("prepare", roster=roster)

    assert [row["purpose"] for row in trust.ledger()] == ["floor", "prepare", "train"]


def test_another_job_has_another_key(circle, roster):
    other = Circle(circle.hub, circle.trusts)
    other.keys()

    tables = [t.database.read("SELECT secret FROM sharing") for t in circle.trusts.values()]
    assert len({row["secret"] for rows in tables for row in rows}) == 8


class TestLostAnswers:
    def test_the_same_try_is_sent_again_not_made_again(self, circle, roster):
        first = circle.masked("prepare", roster=roster)
        calls = list(circle.trusts["aldgate"].pool.calls)
        again = circle.masked("prepare", roster=roster)

        assert {n: v.tolist() for n, v in first.items()} == {n: v.tolist() for n, v in again.items()}
        assert circle.trusts["aldgate"].pool.calls == calls

    def test_a_restart_between_key_and_round(self, circle, roster):
        circle.trusts = {name: trust.restarted() for name, trust in circle.trusts.items()}

        total = circle.total("prepare", circle.masked("prepare", roster=roster))
        assert abs(total["persons"][0]) < 1e5

    def test_the_noisy_count_of_the_floor_is_drawn_once(self, circle, roster):
        circle.masked("prepare", roster=roster)
        persons = circle.trusts["aldgate"].database.read("SELECT persons FROM job")
        circle.masked("prepare", roster=roster, attempt=2, summed=THREE)

        assert circle.trusts["aldgate"].database.read("SELECT persons FROM job") == persons


class TestWhatTheTrustDecides:
    def test_a_trust_model_that_the_steward_did_not_accept(self, circle):
        opt_in(circle.trusts["aldgate"], trust_models=("local",))

        parts = circle.hub.parts(circle.job, "keys", trust="aldgate")
        assert refusal(circle, "aldgate", parts) == RefusalCode.TRUST_MODEL_NOT_ALLOWED

    def test_only_noise_shares_accepted(self, circle):
        opt_in(circle.trusts["aldgate"], trust_models=("distributed",))
        local = Circle(circle.hub, circle.trusts, train_spec())

        parts = local.hub.prepare(local.job, trust="aldgate")
        assert refusal(local, "aldgate", parts) == RefusalCode.TRUST_MODEL_NOT_ALLOWED

    def test_the_steward_changes_their_mind_while_it_runs(self, circle, roster):
        circle.masked("prepare", roster=roster)
        opt_in(circle.trusts["aldgate"], trust_models=("local",))

        parts = circle.parts("aldgate", "train", 1, roster=roster)
        assert refusal(circle, "aldgate", parts) == RefusalCode.TRUST_MODEL_NOT_ALLOWED

    def test_the_operator_forgets_a_trust_while_it_runs(self, circle, roster):
        circle.masked("prepare", roster=roster)
        peers.forget(circle.trusts["aldgate"].database, "dunmore", "olga")

        parts = circle.parts("aldgate", "train", 1, roster=roster)
        assert refusal(circle, "aldgate", parts) == RefusalCode.PEER_NOT_CONFIRMED

    def test_a_trust_forgotten_just_before_a_release(self, circle, roster):
        trust = circle.trusts["aldgate"]
        trust.pool.before_work = lambda: peers.forget(trust.database, "dunmore", "olga")

        parts = circle.parts("aldgate", "prepare", roster=roster)
        assert refusal(circle, "aldgate", parts) == RefusalCode.PEER_NOT_CONFIRMED
        assert trust.database.read("SELECT * FROM release") == []

    def test_a_budget_that_does_not_cover_the_job_gets_no_key(self, circle):
        opt_in(circle.trusts["aldgate"], epsilon=0.5)

        parts = circle.hub.parts(circle.job, "keys", trust="aldgate")
        assert refusal(circle, "aldgate", parts) == RefusalCode.BUDGET_EXCEEDED
        assert circle.trusts["aldgate"].database.read("SELECT * FROM sharing") == []

    def test_too_few_persons_by_the_trusts_own_noisy_count(self, circle):
        circle.trusts["aldgate"] = circle.trusts["aldgate"].with_config(floor=100_000)
        roster = circle.keys()

        for attempt in (1, 2):
            parts = circle.parts("aldgate", "prepare", roster=roster, attempt=attempt)
            assert refusal(circle, "aldgate", parts) == RefusalCode.COHORT_TOO_SMALL
        parts = circle.parts("aldgate", "train", 1, roster=roster)
        assert refusal(circle, "aldgate", parts) == RefusalCode.COHORT_TOO_SMALL

    def test_the_audit_log_names_every_sum(self, circle, roster):
        circle.masked("prepare", roster=roster, summed=THREE)

        (entry,) = sums_in(circle.trusts["aldgate"])
        assert (entry["summed"], entry["try"]) == (list(THREE), 1)
        first = [row["details"] for row in circle.trusts["aldgate"].events("task.accepted") if "keys" in row["details"]]
        assert [set(details["keys"]) for details in first] == [set(NAMES)]

    @pytest.mark.parametrize(("trusts", "honest"), [(NAMES[:2], None), (NAMES[:3], 4)])
    def test_a_job_that_no_guarantee_covers(self, circle, trusts, honest):
        circle.job = circle.hub.job(shared_spec(min_honest=honest), trusts=trusts)

        parts = circle.hub.parts(circle.job, "keys", trust="aldgate")
        assert refusal(circle, "aldgate", parts) == RefusalCode.BAD_RECORD


class TestTheKeysEnd:
    def test_a_cancelled_job(self, circle, roster):
        circle.ask("aldgate", circle.hub.parts(circle.job, "cancel", trust="aldgate"))

        assert secret_of(circle, "aldgate") is None
        parts = circle.parts("aldgate", "prepare", roster=roster)
        assert refusal(circle, "aldgate", parts) == RefusalCode.CANCELLED

    def test_a_project_that_the_trust_left(self, circle, roster):
        trust = circle.trusts["aldgate"]
        consent.leave(trust.database, PROJECT, "sam")
        trust.agent().housekeeping()

        assert secret_of(circle, "aldgate") is None
        assert len(trust.events("sharing.key_deleted")) == 1

    def test_after_the_last_round_it_waits_for_another_try_and_then_ends(self, circle, roster):
        circle.masked("prepare", roster=roster)
        for number in (1, 2, 3):
            circle.masked("train", number, roster=roster)
        trust = circle.trusts["aldgate"]
        trust.agent().housekeeping()
        assert circle.masked("train", 3, roster=roster, summed=THREE, attempt=2)

        later = trust.agent()._clock() + 2 * jobs._LAST_SUM_KEPT
        assert jobs.over(trust.database, trust.config, later) == [circle.job.job_id]
        jobs.end(trust.database, trust.config, circle.job.job_id)
        assert secret_of(circle, "aldgate") is None
        parts = circle.parts("aldgate", "train", 3, roster=roster, summed=THREE, attempt=3, graph=GRAPH)
        assert refusal(circle, "aldgate", parts) == RefusalCode.ROSTER_REFUSED
        parts = circle.hub.parts(circle.job, "keys", trust="aldgate")
        assert refusal(circle, "aldgate", parts) == RefusalCode.ROSTER_REFUSED

    def test_a_deleted_key_is_not_left_in_the_file(self, circle, roster):
        trust, secret = circle.trusts["aldgate"], secret_of(circle, "aldgate")
        jobs.end(trust.database, trust.config, circle.job.job_id)
        trust.database.read("PRAGMA wal_checkpoint(TRUNCATE)")

        assert secret not in trust.config.database.read_bytes()


def test_two_colluding_trusts_and_the_hub_are_left_with_the_sum_of_the_honest(circle, roster):
    """They take off every mask they know; what two honest Trusts sent stays uniform, and only its sum can be read."""
    masked = circle.masked("prepare", roster=roster)
    known = {n: EphemeralKey.from_bytes(secret_of(circle, n)) for n in ("carrick", "dunmore")}
    own = {n: EphemeralKey.from_bytes(secret_of(circle, n)) for n in NAMES}
    trust = circle.trusts["aldgate"]
    identity = peers.keys(circle.trusts["dunmore"].database) | peers.keys(trust.database)
    publics = verify_roster(
        roster, job_id=circle.job.job_id, trust="dunmore", own_public=known["dunmore"].public_hex, peers=identity
    )
    context = SumContext(circle.job.job_id, "prepare", 0, 1, NAMES, digest(roster))
    left = {}
    for honest in ("aldgate", "brookfield"):
        values = masked[honest]
        for colluding, key in known.items():
            # honest names come first, so they added what is taken off here
            values = values - key_stream(key.agree(publics[honest]), (honest, colluding), context, values.size)
        left[honest] = values
    layout = layout_of(circle.spec, "prepare", PARAMETERS)
    both = layout.encoding.decode((left["aldgate"] + left["brookfield"]).view(np.int64))

    assert abs(both[0] / weight_of_count(circle.spec) - 0.7 * 650) < 400
    assert all(np.abs(value.view(np.int64)).min() > 2**40 for value in left.values())
    assert own["aldgate"].public_hex == publics["aldgate"]
