from __future__ import annotations

import getpass

import pytest
from flip_sdk.errors import ConnectionFailedError
from flip_sdk.settings import load
from flip_sdk.signing_in import api_address
from flip_sdk.testing import FakeHub

import flip_sdk as flip


@pytest.mark.parametrize(
    ("typed", "api"),
    [
        ("https://hub.example.org", "https://hub.example.org/services/flip/api"),
        ("hub.example.org/", "https://hub.example.org/services/flip/api"),
        ("https://hub.example.org/hub", "https://hub.example.org/services/flip/api"),
        ("https://example.org/tre", "https://example.org/tre/services/flip/api"),
        ("http://127.0.0.1:8000/services/flip/api", "http://127.0.0.1:8000/services/flip/api"),
        ("http://localhost:8000", "http://localhost:8000/services/flip/api"),
    ],
)
def test_the_api_behind_what_a_person_types(typed: str, api: str) -> None:
    assert api_address(typed) == api


@pytest.mark.parametrize("typed", ["http://hub.example.org", "ftp://hub.example.org", "https://", ""])
def test_addresses_that_are_refused(typed: str) -> None:
    with pytest.raises(ConnectionFailedError):
        api_address(typed)


def test_login_asks_checks_and_keeps(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "https://hub.example.org")
    monkeypatch.setattr(getpass, "getpass", lambda _: f"{fake_hub.token}\n")
    me = flip.login(transport=fake_hub.transport)
    assert me.name == "ada"
    kept = load()
    assert (kept.api, kept.token) == ("https://hub.example.org/services/flip/api", fake_hub.token)
    assert flip.connect(transport=fake_hub.transport).me == me


def test_a_wrong_token_is_not_kept(fake_hub: FakeHub) -> None:
    with pytest.raises(ConnectionFailedError):
        flip.login("https://hub.example.org", "wrong", transport=fake_hub.transport)
    with pytest.raises(ConnectionFailedError):
        load()


def test_logout_forgets(fake_hub: FakeHub) -> None:
    flip.login("https://hub.example.org", fake_hub.token, transport=fake_hub.transport)
    assert flip.logout() is True
    assert flip.logout() is False
    with pytest.raises(ConnectionFailedError):
        load()
