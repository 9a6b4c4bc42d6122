from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.tasks import KeyShare, Refusal, RefusalCode
from flip_sdk.errors import PeerUnknownError, RosterError
from flip_sdk.secure_sum.keys import EphemeralKey
from flip_sdk.secure_sum.roster import MAX_ROSTER_BYTES, build_roster, verify_roster

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ME = "brookfield"


@dataclass
class Member:
    name: str
    identity: SigningKey = field(default_factory=SigningKey.generate)
    key: EphemeralKey = field(default_factory=EphemeralKey.generate)

    def token(self, *, by: SigningKey | None = None, **changes) -> str:
        fields = {"task_id": "t", "job_id": "job", "trust": self.name, "public_key": self.key.public_hex}
        return (by or self.identity).sign(KeyShare(**(fields | {"issued_at": NOW} | changes)))


@pytest.fixture
def members() -> dict[str, Member]:
    return {name: Member(name) for name in ("aldgate", ME, "carrick", "dunmore")}


def check(members, roster: bytes, **changes):
    peers = {name: member.identity.public for name, member in members.items()}
    arguments = {"job_id": "job", "trust": ME, "own_public": members[ME].key.public_hex, "peers": peers}
    return verify_roster(roster, **(arguments | changes))


def roster(members, **tokens: str) -> bytes:
    return build_roster({name: member.token() for name, member in members.items()} | tokens)


def test_a_proper_roster(members):
    assert check(members, roster(members)) == {name: member.key.public_hex for name, member in members.items()}


def test_a_roster_without_one_of_the_trusts(members):
    del members["dunmore"]

    assert set(check(members, roster(members))) == {"aldgate", ME, "carrick"}


def test_the_hub_puts_its_own_key_in(members):
    """Signed by a key that no operator confirmed: the hub in the middle."""
    middle = SigningKey.generate()

    with pytest.raises(PeerUnknownError):
        check(members, roster(members, carrick=members["carrick"].token(by=middle)))


def test_a_trust_whose_key_changed_has_to_be_confirmed_anew(members):
    before = members["carrick"].identity.public
    members["carrick"].identity = SigningKey.generate()
    peers = {name: member.identity.public for name, member in members.items()} | {"carrick": before}

    with pytest.raises(PeerUnknownError):
        check(members, roster(members), peers=peers)


@pytest.mark.parametrize(
    "change",
    [
        {"trust": "aldgate"},
        {"job_id": "another"},
        {"public_key": "00" * 32},
        {"public_key": "01" + "00" * 31},
        {"public_key": "ff" * 32},
    ],
    ids=["another's name", "an old job", "low order", "low order 1", "not canonical"],
)
def test_a_key_that_does_not_fit(members, change):
    with pytest.raises(RosterError):
        check(members, roster(members, carrick=members["carrick"].token(**change)))


def test_a_trust_that_hands_our_own_key_back(members):
    with pytest.raises(RosterError):
        check(members, roster(members, carrick=members["carrick"].token(public_key=members[ME].key.public_hex)))


def test_two_trusts_with_one_key(members):
    with pytest.raises(RosterError):
        check(members, roster(members, carrick=members["carrick"].token(public_key=members["aldgate"].key.public_hex)))


def test_our_own_key_was_changed_or_left_out(members):
    with pytest.raises(RosterError):
        check(members, roster(members), own_public=EphemeralKey.generate().public_hex)
    others = {name: member for name, member in members.items() if name != ME}
    with pytest.raises(RosterError):
        check(members, roster(others))


def test_an_old_roster_of_another_job(members):
    old = build_roster({name: member.token(job_id="before") for name, member in members.items()})

    with pytest.raises(RosterError):
        check(members, old)


def test_another_kind_of_record_is_no_key(members):
    refusal = members["carrick"].identity.sign(
        Refusal(trust="carrick", task_id="t", code=RefusalCode.CANCELLED, issued_at=NOW)
    )

    with pytest.raises(RosterError):
        check(members, roster(members, carrick=refusal))


def test_a_tampered_signature(members):
    header, _, signature = members["carrick"].token().split(".")
    other = members["carrick"].token(public_key=EphemeralKey.generate().public_hex).split(".")[1]

    with pytest.raises(RosterError):
        check(members, roster(members, carrick=f"{header}.{other}.{signature}"))


def test_order_repetition_and_number(members):
    tokens = json.loads(roster(members))
    for wrong in (tokens[::-1], [*tokens, tokens[-1]], [tokens[0], *tokens], tokens[:2], tokens * 60):
        with pytest.raises(RosterError):
            check(members, json.dumps(wrong).encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"null", b"[1, 2, 3]", b'["a", "b", "c"]', b"\xff", b"[" * 100_000, b" " * MAX_ROSTER_BYTES + b" "],
)
def test_what_is_no_roster(members, content):
    with pytest.raises(RosterError):
        check(members, content)
