"""Sessions as pages show them: how long, staying, and the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from flip_hub.api import create_app
from flip_hub.api.sessions import SESSION_COOKIE
from flip_hub.database import Routine, SignIn, now
from flip_hub.governance import sign_ins
from flip_hub.governance.office import Office

from tests.hub.conftest import API, PAGES, Hub


@pytest.fixture
def browser(hub: Hub) -> Iterator[TestClient]:
    """ada's browser, in a session."""
    sign_ins.begin(hub.office.database, "s1", "ada", "password", {})
    with client_of(hub) as client:
        client.cookies.set(SESSION_COOKIE, hub.authenticator.sign_in("ada", session="s1"), path=f"{PAGES}/")
        yield client


def client_of(hub: Hub) -> TestClient:
    app = create_app(hub.office.config, hub.authenticator, components=hub.components)
    return TestClient(app, follow_redirects=False)


def age(hub: Hub, **times: timedelta) -> None:
    """Let a session have begun, or been used, so much earlier."""
    with hub.office.database.write(Routine("made by a test")) as session:
        row = session.get_one(SignIn, sign_ins.key("s1"))
        for name, earlier in times.items():
            setattr(row, name, getattr(row, name) - earlier)


def seen(hub: Hub) -> float:
    """How many seconds ago the session was used."""
    with hub.office.database.read() as session:
        return (now() - session.get_one(SignIn, sign_ins.key("s1")).seen_at).total_seconds()


def test_a_page_says_how_long_it_lasts_without_a_script(browser: TestClient) -> None:
    page = browser.get(f"{PAGES}/")
    assert page.status_code == 200
    assert "after 30 minutes in which you do nothing" in page.text


def test_asking_keeps_nothing_open_and_doing_something_does(hub: Hub, browser: TestClient) -> None:
    age(hub, seen_at=timedelta(minutes=20))
    left = browser.get(f"{PAGES}/session").json()
    assert 590 <= left["idle"] <= 600
    assert 43_000 < left["longest"] <= 43_200
    browser.get(f"{API}/jobs/no-such-job/events")
    assert seen(hub) > 1100
    browser.get(f"{PAGES}/catalogue")
    assert seen(hub) < 60


def test_staying_needs_the_forms_token(hub: Hub, browser: TestClient) -> None:
    age(hub, seen_at=timedelta(minutes=29))
    assert browser.post(f"{PAGES}/session").status_code == 403
    age(hub, seen_at=timedelta(minutes=29))
    token = browser.get(f"{PAGES}/").text.partition('data-csrf="')[2].partition('"')[0]
    age(hub, seen_at=timedelta(minutes=29))
    assert browser.post(f"{PAGES}/session", headers={"x-csrf-token": token}).json()["idle"] > 1790


@pytest.mark.parametrize("times", [{"seen_at": timedelta(minutes=30)}, {"began_at": timedelta(hours=12)}])
def test_an_ended_session_leads_to_signing_in(hub: Hub, browser: TestClient, times: dict[str, timedelta]) -> None:
    age(hub, **times)
    for path in ("/", "/session"):
        assert browser.get(f"{PAGES}{path}").status_code == 302
    answer = browser.get(f"{API}/me")
    assert answer.status_code == 401
    assert answer.json()["mend"]


def test_one_persons_session_is_not_anothers(hub: Hub, browser: TestClient) -> None:
    browser.cookies.set(SESSION_COOKIE, hub.authenticator.sign_in("bea", session="s1"), path=f"{PAGES}/")
    assert browser.get(f"{API}/me").status_code == 401


@pytest.mark.parametrize(("address", "secure"), [("https://hub.example.org", True), ("http://127.0.0.1:8000", False)])
def test_cookies_are_out_of_reach_of_scripts_and_other_sites(hub: Hub, address: str, secure: bool) -> None:
    office = Office.of(replace(hub.office.config, hub_url=address))
    hub.authenticator.codes["c1"] = hub.authenticator.sign_in("ada")
    app = create_app(office.config, hub.authenticator, components=hub.components)
    with TestClient(app, base_url=address, follow_redirects=False) as client:
        begun = client.get(f"{PAGES}/")
        state = begun.headers["location"].partition("state=")[2]
        ended = client.get(f"{PAGES}/oauth_callback", params={"code": "c1", "state": state})
    for answer in (begun, ended):
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert f"Path={PAGES}/" in cookie
        assert ("Secure" in cookie) is secure
