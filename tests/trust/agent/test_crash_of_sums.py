"""SIGKILL, and a disk that fills, in a job with noise shares: one key, one roster, and no number masked twice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from flip_sdk.contract.notices import PeerKey, fingerprint
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import SigningKey, verify
from flip_sdk.contract.tasks import KeyShare, RefusalCode, SafeUpdate
from flip_sdk.secure_sum.keys import EphemeralKey
from flip_sdk.secure_sum.roster import build_roster
from flip_trust import peers
from flip_trust.keys import load_identity
from safetensors.numpy import load

from tests.trust.agent.test_crash import Victim
from tests.trust.agent.victim import read
from tests.trust.circle import NAMES, opt_in, shared_spec
from tests.trust.test_disk_full import no_room
from tests.trust.world import NAME, answer_of, wait_until

OTHERS = NAMES[1:]


class Shared:
    """The Trust under attack, and three others of whom only keys are there."""

    def __init__(self, trust) -> None:
        self.trust, self.job = trust, trust.hub.job(shared_spec(), trusts=NAMES)
        self._others = {name: SigningKey.generate() for name in OTHERS}
        own = PeerKey(trust=NAME, identity_key=load_identity(trust.config).public.x)
        for name, key in self._others.items():
            record = PeerKey(trust=name, identity_key=key.public.x)
            peers.confirm(trust.database, own, [record], fingerprint(record), "olga")
        opt_in(trust)

    def keys(self):
        return self.trust.hub.parts(self.job, "keys")

    def roster(self, own: bytes) -> bytes:
        share = verify(own, load_identity(self.trust.config).public, KeyShare)
        tokens = {NAME: own.decode()}
        for name, key in self._others.items():
            public = EphemeralKey.generate().public_hex
            tokens[name] = key.sign(share.model_copy(update={"trust": name, "public_key": public}))
        return build_roster(tokens)

    def own(self, roster: bytes) -> str:
        token = json.loads(roster)[0]
        return verify(token, load_identity(self.trust.config).public, KeyShare).public_key

    def prepare(self, roster: bytes, **changes):
        about = {"roster": digest(roster), "summed": NAMES, "sum_attempt": 1} | changes
        return self.trust.hub.prepare(self.job, **about) | {"roster": roster}


@pytest.fixture
def shared(trust) -> Shared:
    return Shared(trust)


@pytest.fixture
def victim(shared) -> Iterator[Victim]:
    made = Victim(shared.trust)
    yield made
    made.kill()


def token(victim: Victim, name: str) -> bytes:
    wait_until((victim.home / "out" / name).exists, 30)
    return read(victim.home / "out" / name)["reply"]


def test_killed_between_key_and_round(shared, victim):
    victim.start()
    roster = shared.roster(token(victim, victim.put(shared.keys())))
    victim.kill()
    victim.start()

    update, tensors = victim.answer(victim.put(shared.prepare(roster)))

    assert isinstance(update, SafeUpdate), update
    assert tensors["masked"].dtype == np.uint64
    again = verify(token(victim, victim.put(shared.keys())), load_identity(shared.trust.config).public, KeyShare)
    assert again.public_key == shared.own(roster)


def test_killed_between_masking_and_sending(shared, victim):
    """What was masked is kept and sent again: another vector under the same masks would lay the difference open."""
    victim.start()
    roster = shared.roster(token(victim, victim.put(shared.keys())))
    victim.set("mute", on=True)
    victim.put(shared.prepare(roster))
    wait_until(lambda: victim.states()[1:] == ["protected"])
    victim.kill()
    (kept,) = shared.trust.database.read("SELECT * FROM release")
    victim.set("mute", on=False)
    victim.start()

    _, tensors = victim.answer(victim.put(shared.prepare(roster, attempt=2)))

    assert np.array_equal(tensors["masked"], load(kept["tensors"])["masked"])
    assert len(shared.trust.database.read("SELECT * FROM release")) == 1


def test_killed_while_computing_a_sum(shared, victim):
    victim.start()
    roster = shared.roster(token(victim, victim.put(shared.keys())))
    victim.set("hold", on=True)
    victim.put(shared.prepare(roster))
    wait_until(lambda: victim.states()[1:] == ["accepted"])
    victim.kill()
    assert [row["purpose"] for row in shared.trust.ledger()] == ["floor", "prepare", "train"]
    victim.set("hold", on=False)
    victim.start()

    update, _ = victim.answer(victim.put(shared.prepare(roster, attempt=2)))

    assert isinstance(update, SafeUpdate)
    assert len(shared.trust.ledger()) == 3


class TestAFullDisk:
    def ask(self, shared, parts):
        received = shared.trust.carrier.put(parts)
        shared.trust.agent().take(shared.trust.carrier.receive())
        return shared.trust.carrier.answer(received)

    def test_no_key_is_made_that_could_not_be_kept(self, shared):
        with no_room(shared.trust.database):
            refusal, _ = answer_of(shared.trust, self.ask(shared, shared.keys()))
        assert refusal.code == RefusalCode.LEDGER_UNAVAILABLE
        assert shared.trust.database.read("SELECT * FROM sharing") == []

        verify(self.ask(shared, shared.keys())["reply"], load_identity(shared.trust.config).public, KeyShare)

    def test_numbers_that_could_not_be_kept_are_not_sent(self, shared):
        roster = shared.roster(self.ask(shared, shared.keys())["reply"])
        room = no_room(shared.trust.database)
        shared.trust.pool.before_work = room.__enter__
        refusal, tensors = answer_of(shared.trust, self.ask(shared, shared.prepare(roster)))
        shared.trust.pool.before_work = None
        room.__exit__(None, None, None)

        assert (refusal.code, tensors) == (RefusalCode.LEDGER_UNAVAILABLE, None)
        assert shared.trust.database.read("SELECT * FROM release") == []
        update, _ = answer_of(shared.trust, self.ask(shared, shared.prepare(roster, attempt=2)))
        assert isinstance(update, SafeUpdate)
