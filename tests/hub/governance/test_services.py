"""Programs with tokens: given, used, rotated, revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flip_hub.audit import export
from flip_hub.database import Database, Routine, ServiceIdentity, now
from flip_hub.errors import ConflictError, InvalidError, MissingError, NotSignedInError
from flip_hub.governance import services
from flip_hub.governance.services import PREFIX, identify_service

from tests.hub.conftest import Hub


@pytest.fixture
def database(hub: Hub) -> Database:
    return hub.office.database


def made(database: Database, name: str = "watcher", *scopes: str, days: int = 90) -> str:
    given = scopes or ("monitoring:read",)
    return services.create(database, name, purpose="Watches", scopes=given, days=days, by="tests").token


def test_a_token_is_its_programs_and_only_its_hash_is_kept(database: Database) -> None:
    token = made(database)
    assert token.startswith(PREFIX)
    subject = identify_service(database, token)
    assert (subject.name, subject.roles, subject.scopes) == ("service/watcher", frozenset(), {"monitoring:read"})
    (row,) = services.services(database)
    assert row.seen_at is not None
    with database.read() as session:
        kept = [str(vars(one)) for one in session.query(ServiceIdentity)] + [str(one) for one in export(session)]
    assert not any(token in text or token.removeprefix(PREFIX) in text for text in kept)


@pytest.mark.parametrize("token", ["", "flips_", "flips_nobodys", "x" * 5000])
def test_what_is_no_token_is_nobodys(database: Database, token: str) -> None:
    made(database)
    with pytest.raises(NotSignedInError):
        identify_service(database, token)


def test_after_a_rotation_the_one_before_is_good_for_a_while(database: Database) -> None:
    first = made(database)
    second = services.rotate(database, "watcher", days=90, overlap=timedelta(hours=1), by="tests").token
    assert identify_service(database, first) == identify_service(database, second)
    third = services.rotate(database, "watcher", days=90, overlap=timedelta(0), by="tests").token
    for token in (first, second):
        with pytest.raises(NotSignedInError):
            identify_service(database, token)
    assert identify_service(database, third)


def test_a_rotation_lengthens_nothing_that_has_ended(database: Database) -> None:
    token = made(database)
    _end(database)
    services.rotate(database, "watcher", days=90, overlap=timedelta(hours=24), by="tests")
    with pytest.raises(NotSignedInError):
        identify_service(database, token)


def test_a_token_ends(database: Database) -> None:
    token = made(database)
    _end(database)
    with pytest.raises(NotSignedInError):
        identify_service(database, token)


def test_what_was_revoked_stays_so(database: Database) -> None:
    first = made(database)
    second = services.rotate(database, "watcher", days=90, overlap=timedelta(hours=24), by="tests").token
    services.revoke(database, "watcher", by="tests")
    for token in (first, second):
        with pytest.raises(NotSignedInError):
            identify_service(database, token)
    with pytest.raises(MissingError):
        services.revoke(database, "watcher", by="tests")
    with pytest.raises(MissingError):
        services.rotate(database, "watcher", days=90, overlap=timedelta(0), by="tests")
    with pytest.raises(ConflictError):
        made(database)


def test_all_that_is_wrong_is_said_at_once(database: Database) -> None:
    with pytest.raises(InvalidError) as caught:
        services.create(database, "Ada's", purpose=" ", scopes=["everything"], days=0, by="tests")
    for word in ("name", "purpose", "everything", "days"):
        assert word in caught.value.message
    with pytest.raises(InvalidError):
        services.create(database, "watcher", purpose="Watches", scopes=[], days=1, by="tests")


def test_it_is_in_the_audit_log(database: Database) -> None:
    made(database, "collector", "audit:read")
    services.rotate(database, "collector", days=30, overlap=timedelta(hours=1), by="olga")
    services.revoke(database, "collector", by="olga")
    with database.read() as session:
        found = [row for row in export(session) if row["subject"] == "service/collector"]
    assert [row["event"] for row in found] == ["service.created", "service.rotated", "service.revoked"]
    assert found[0]["details"]["scopes"] == ["audit:read"]


def _end(database: Database) -> None:
    with database.write(Routine("made by a test")) as session:
        session.get_one(ServiceIdentity, "watcher").expires_at = now() - timedelta(seconds=1)
