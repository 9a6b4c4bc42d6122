from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from flip_hub.config import HubConfig
from flip_hub.database import Database
from flip_hub.governance.people import close_account
from flip_hub.jupyterhub.authenticator import ALLOWED_FAILURES, LOCKED_SECONDS, Lockout, PersonAuthenticator
from tornado.web import HTTPError

from tests.hub.jupyterhub.homes import ADA, populated_home


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> HubConfig:
    return populated_home(tmp_path_factory.mktemp("hub"))


def sign_in(authenticator: PersonAuthenticator, name: str, password: str) -> str | None:
    return asyncio.run(authenticator.authenticate(None, {"username": name, "password": password}))


def test_the_right_password_signs_in(config: HubConfig) -> None:
    authenticator = PersonAuthenticator(flip_config=config)
    assert sign_in(authenticator, ADA.name, ADA.password) == ADA.name
    assert sign_in(authenticator, ADA.name, "not the password") is None


def test_repeated_wrong_passwords_close_a_name_whether_or_not_it_exists(config: HubConfig) -> None:
    authenticator = PersonAuthenticator(flip_config=config)
    for name in (ADA.name, "nobody"):
        for _ in range(ALLOWED_FAILURES):
            assert sign_in(authenticator, name, "not the password") is None
        with pytest.raises(HTTPError) as caught:
            sign_in(authenticator, name, ADA.password)
        assert caught.value.status_code == 403


def test_a_closed_name_opens_again_after_a_while() -> None:
    moment = [0.0]
    lockout = Lockout(clock=lambda: moment[0])
    for _ in range(ALLOWED_FAILURES):
        assert not lockout.is_closed("ada")
        lockout.failed("ada")
    assert lockout.is_closed("ada")
    assert not lockout.is_closed("ben")
    moment[0] = LOCKED_SECONDS + 1
    assert not lockout.is_closed("ada")


def test_signing_in_forgets_earlier_failures() -> None:
    lockout = Lockout()
    for _ in range(ALLOWED_FAILURES - 1):
        lockout.failed("ada")
    lockout.succeeded("ada")
    lockout.failed("ada")
    assert not lockout.is_closed("ada")


def test_only_people_whom_governance_knows_are_allowed(tmp_path: Path) -> None:
    config = populated_home(tmp_path / "hub")
    authenticator = PersonAuthenticator(flip_config=config)
    assert asyncio.run(authenticator.check_allowed("ada"))
    assert not asyncio.run(authenticator.check_allowed("stranger"))
    database = Database.of(config)
    close_account(database, "ada", by="tests")
    database.close()
    assert not asyncio.run(authenticator.check_allowed("ada"))
