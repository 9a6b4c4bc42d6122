"""Sessions that begin, are used, and end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from flip_hub.audit import export
from flip_hub.database import Database, SignIn
from flip_hub.errors import NotSignedInError
from flip_hub.governance import sign_ins
from flip_hub.governance.sign_ins import Limits

from tests.hub.conftest import Hub

LIMITS = Limits(idle=timedelta(minutes=30), longest=timedelta(hours=12))
START = datetime.fromisoformat("2026-11-30T09:00:00+00:00")


class Clock:
    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, **time: float) -> None:
        self.moment += timedelta(**time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(sign_ins, "now", made)
    return made


@pytest.fixture
def database(hub: Hub, clock: Clock) -> Database:
    sign_ins.begin(hub.office.database, "s1", "ada", "password", {})
    return hub.office.database


def look(database: Database, session: str = "s1", person: str = "ada", *, used: bool = True) -> sign_ins.Standing:
    return sign_ins.standing(database, LIMITS, session, person, used=used)


def endings(database: Database) -> list[str]:
    with database.read() as session:
        return [row["details"]["reason"] for row in export(session) if row["event"] == "person.signed_out"]


def test_what_is_done_keeps_it_open_until_its_longest_time(database: Database, clock: Clock) -> None:
    for _ in range(26):
        clock.pass_by(minutes=27)
        assert look(database).ends == START + LIMITS.longest
    clock.pass_by(minutes=20)
    with pytest.raises(NotSignedInError):
        look(database)
    assert endings(database) == ["longest"]


def test_doing_nothing_ends_it_once(database: Database, clock: Clock) -> None:
    clock.pass_by(minutes=29)
    assert look(database, used=False).idle_ends == START + LIMITS.idle
    clock.pass_by(minutes=1)
    for _ in range(2):
        with pytest.raises(NotSignedInError):
            look(database)
    assert endings(database) == ["idle"]


def test_a_page_that_asks_by_itself_keeps_nothing_open(database: Database, clock: Clock) -> None:
    for _ in range(3):
        clock.pass_by(minutes=9)
        look(database, used=False)
    clock.pass_by(minutes=4)
    with pytest.raises(NotSignedInError):
        look(database, used=False)


def test_another_persons_and_an_unheard_of_session_are_none(database: Database) -> None:
    for session, person in (("s1", "bea"), ("s2", "ada"), ("", "ada")):
        with pytest.raises(NotSignedInError):
            look(database, session, person)
    assert look(database)


def test_signing_out_ends_one_and_the_provider_ends_all(database: Database) -> None:
    sign_ins.begin(database, "s2", "ada", "organisation", {"amr": ["mfa"]})
    sign_ins.begin(database, "s3", "ada", "organisation", {"amr": ["mfa"]})
    sign_ins.end(database, "s1", "asked")
    sign_ins.end(database, "s1", "asked")
    sign_ins.end(database, "unheard-of", "asked")
    assert look(database, "s2")
    sign_ins.end_all(database, "ada", "provider")
    for session in ("s1", "s2", "s3"):
        with pytest.raises(NotSignedInError):
            look(database, session)
    assert endings(database) == ["asked", "provider", "provider"]


def test_ids_are_not_kept_and_old_sessions_are_forgotten(database: Database, clock: Clock) -> None:
    clock.pass_by(days=31)
    sign_ins.begin(database, "s9", "ada", "password", {})
    with database.read() as session:
        rows = list(session.query(SignIn))
    assert [row.session for row in rows] == [sign_ins.key("s9")]
    assert "s9" not in rows[0].session
