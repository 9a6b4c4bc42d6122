from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from flip_hub.config import HubConfig
from flip_hub.database import Database, Routine, SignIn, now
from flip_hub.governance import sign_ins
from flip_hub.governance.people import close_account
from flip_hub.jupyterhub.authenticator import ALLOWED_FAILURES, LOCKED_SECONDS, Lockout, PersonAuthenticator
from sqlalchemy import delete
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


class PlayedRequest:
    """A request to JupyterHub, as an authenticator sees it: by a cookie, or by a token that was given in a session."""

    def __init__(self, user: object, session: str | None, client: str = "") -> None:
        self._jupyterhub_user, self._token_authenticated, self.session_id, self.client_id = (
            user,
            bool(client),
            session,
            client,
        )

    def get_session_cookie(self) -> str | None:
        return self.session_id

    def get_token(self) -> PlayedRequest:
        return self


@pytest.mark.parametrize(
    ("session", "client", "is_open", "is_used"),
    [
        ("s1", "", True, True),
        ("s1", "service-flip", True, False),
        ("s1", "jupyterhub-user-ada-open-project", True, True),
        (None, "jupyterhub", True, False),
        (None, "", False, False),
        ("unheard-of", "", False, False),
        ("unheard-of", "service-flip", False, False),
    ],
)
def test_which_requests_need_a_session_and_which_keep_it_open(
    config: HubConfig, session: str | None, client: str, is_open: bool, is_used: bool
) -> None:
    authenticator, user = PersonAuthenticator(flip_config=config), SimpleNamespace(name=ADA.name)
    with authenticator.database.write(Routine("made by a test")) as opened:
        opened.execute(delete(SignIn))
    sign_ins.begin(authenticator.database, "s1", ADA.name, "password", {})
    with authenticator.database.write(Routine("made by a test")) as opened:
        opened.get_one(SignIn, sign_ins.key("s1")).seen_at -= timedelta(minutes=20)
    assert asyncio.run(authenticator.refresh_user(user, PlayedRequest(user, session, client))) is is_open
    with authenticator.database.read() as opened:
        idle = now() - opened.get_one(SignIn, sign_ins.key("s1")).seen_at
    assert (idle < timedelta(minutes=1)) is is_used
