"""A real JupyterHub at which people sign in by a real OpenID Connect provider."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from flip_hub.audit import export
from flip_hub.database import Database, Identity, Person, Routine, SignIn
from sqlalchemy import select

from demo.hub_only import HubOnly
from demo.processes import wait_until
from tests.hub.jupyterhub.homes import OPEN
from tests.hub.jupyterhub.providers import Provider, organisation, person, sign_in

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("organisation-sign-in")]

PEOPLE = {
    "u-ada": person("ada", "flip-researchers"),
    "u-ben": person("ben", "flip-researchers", "flip-checkers"),
    "u-rufus": person("rufus", "flip-researchers"),
    "u-cleo": person("cleo", "flip-checkers", organisation="Southport"),
    "u-dora": person("dora", "flip-checkers"),
    "u-sven": person("sven", "some-other-group"),
    "u-eve": person("eve", "flip-researchers", email_verified=False),
    "u-other": person("ada", "flip-researchers"),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubOnly, Provider]]:
    with organisation(tmp_path_factory.mktemp("organisation") / "home", PEOPLE) as made:
        yield made


@pytest.fixture
def hub(both: tuple[HubOnly, Provider]) -> HubOnly:
    return both[0]


@pytest.fixture
def provider(both: tuple[HubOnly, Provider]) -> Iterator[Provider]:
    yield both[1]
    if both[1].program.poll() is None:
        both[1].lie("")
        both[1].renew(by_token=True)


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, timeout=20) as client:
        yield client


@pytest.fixture
def database(hub: HubOnly) -> Iterator[Database]:
    opened = Database.of(hub.config)
    yield opened
    opened.close()


def events(database: Database, event: str, subject: str) -> list[dict[str, object]]:
    with database.read() as session:
        return [row["details"] for row in export(session) if (row["event"], row["subject"]) == (event, subject)]


def roles(database: Database, name: str) -> list[str]:
    with database.read() as session:
        return session.get_one(Person, name).roles


def test_a_second_factor_signs_in_and_is_written_down(hub: HubOnly, browser: httpx.Client, database: Database) -> None:
    page = sign_in(hub.url, browser, "u-ada")
    assert (page.status_code, page.url.path) == (200, "/services/flip/")
    signed_in = events(database, "person.signed_in", "person/ada")[-1]
    assert signed_in["amr"] == ["pwd", "otp", "mfa"]
    assert signed_in["method"] == "organisation"
    with database.read() as session:
        assert session.get_one(Identity, "ada").subject == "u-ada"


def test_without_a_second_factor_nobody_signs_in(hub: HubOnly, browser: httpx.Client, database: Database) -> None:
    page = sign_in(hub.url, browser, "u-ada", second=False)
    assert page.status_code == 403
    assert "second factor" in page.text
    assert events(database, "person.sign_in_refused", "person/ada")
    assert browser.get(f"{hub.url}/services/flip/api/me").status_code == 401


@pytest.mark.parametrize("about", ["issuer", "audience", "expired", "nonce", "subject", "key", "none"])
def test_a_token_that_is_wrong_signs_nobody_in(
    hub: HubOnly, provider: Provider, browser: httpx.Client, about: str
) -> None:
    provider.lie(about)
    assert sign_in(hub.url, browser, "u-ada").status_code == 403
    assert browser.get(f"{hub.url}/services/flip/api/me").status_code == 401


@pytest.mark.parametrize(("subject", "words"), [("u-sven", "not registered"), ("u-eve", "not verified")])
def test_others_are_refused_in_words(hub: HubOnly, browser: httpx.Client, subject: str, words: str) -> None:
    page = sign_in(hub.url, browser, subject)
    assert page.status_code == 403
    assert words in page.text


def test_a_name_that_somebody_else_has_at_the_provider_is_refused(
    hub: HubOnly, browser: httpx.Client, database: Database
) -> None:
    sign_in(hub.url, browser, "u-ada")
    with httpx.Client(follow_redirects=True) as other:
        assert sign_in(hub.url, other, "u-other").status_code == 403
    with database.read() as session:
        assert session.get_one(Identity, "ada").subject == "u-ada"


def test_people_in_a_group_are_registered_as_they_sign_in(
    hub: HubOnly, browser: httpx.Client, database: Database
) -> None:
    assert sign_in(hub.url, browser, "u-cleo").status_code == 200
    me = browser.get(f"{hub.url}/services/flip/api/me").json()
    assert (me["name"], me["roles"], me["organisation"]) == ("cleo", ["output checker"], "Southport")


def test_what_groups_do_not_give_stays_the_operators(hub: HubOnly, browser: httpx.Client, database: Database) -> None:
    sign_in(hub.url, browser, "u-rufus")
    assert roles(database, "rufus") == ["governance reviewer", "researcher"]


def test_a_group_that_is_taken_away_takes_its_role_along(
    hub: HubOnly, provider: Provider, browser: httpx.Client, database: Database
) -> None:
    sign_in(hub.url, browser, "u-ben")
    assert roles(database, "ben") == ["output checker", "researcher"]
    provider.change("u-ben", groups=["flip-researchers"])
    assert browser.get(f"{hub.url}/hub/home").status_code == 200
    assert browser.get(f"{hub.url}/services/flip/api/me").json()["roles"] == ["researcher"]


def test_whom_the_provider_no_longer_knows_is_signed_out_everywhere(
    hub: HubOnly, provider: Provider, browser: httpx.Client, database: Database
) -> None:
    provider.change("u-cleo", active=True)
    with httpx.Client(follow_redirects=True) as second:
        sign_in(hub.url, browser, "u-cleo")
        sign_in(hub.url, second, "u-cleo")
        provider.change("u-cleo", active=False)
        assert browser.get(f"{hub.url}/hub/home").url.path == "/hub/login"
        for client in (browser, second):
            assert client.get(f"{hub.url}/services/flip/api/me").status_code == 401
            assert client.get(f"{hub.url}/hub/home").url.path == "/hub/login"
    assert {"reason": "provider"} in events(database, "person.signed_out", "person/cleo")


def test_whom_the_provider_no_longer_knows_loses_a_running_workspace_while_nobody_asks_for_anything(
    hub: HubOnly, provider: Provider, browser: httpx.Client, database: Database
) -> None:
    sign_in(hub.url, browser, "u-ada")
    assert "spawn-pending" in str(browser.get(f"{hub.url}/hub/spawn/ada/{OPEN}").url)
    wait_until(
        lambda: bool(hub.pids("jupyterhub.singleuser")), 60, "it did not start", last_words=hub.keeper.last_words
    )
    ready = f"{hub.url}/user/ada/{OPEN}/api"
    wait_until(
        lambda: browser.get(ready).status_code == 200, 60, "it does not answer", last_words=hub.keeper.last_words
    )
    browser.close()
    provider.change("u-ada", active=False)
    wait_until(lambda: not hub.pids("jupyterhub.singleuser"), 30, "it goes on", last_words=hub.keeper.last_words)
    provider.change("u-ada", active=True)
    wait_until(
        lambda: bool(events(database, "workspace.stopped", f"project/{OPEN}")),
        30,
        "nothing is written down of it",
        last_words=hub.keeper.last_words,
    )
    (stopped,) = events(database, "workspace.stopped", f"project/{OPEN}")
    assert "vouches" in str(stopped["reason"])


def test_a_provider_without_refresh_tokens_is_asked_by_the_other(
    hub: HubOnly, provider: Provider, browser: httpx.Client, database: Database
) -> None:
    provider.renew(by_token=False)
    provider.change("u-dora", groups=["flip-checkers"], active=True)
    sign_in(hub.url, browser, "u-dora")
    assert roles(database, "dora") == ["output checker"]
    provider.change("u-dora", groups=["flip-researchers"])
    assert browser.get(f"{hub.url}/hub/home").url.path == "/hub/home"
    assert roles(database, "dora") == ["researcher"]
    provider.change("u-dora", active=False)
    assert browser.get(f"{hub.url}/hub/home").url.path == "/hub/login"


def test_many_requests_at_once_use_no_token_twice(
    hub: HubOnly, provider: Provider, browser: httpx.Client, database: Database
) -> None:
    """The provider takes a refresh token that comes twice for stolen, and ends everything."""
    sign_in(hub.url, browser, "u-ben")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(browser.get, [f"{hub.url}/hub/home"] * 16))
    assert {answer.url.path for answer in answers} == {"/hub/home"}


# ---- sessions


def age(database: Database, person: str, **times: timedelta) -> None:
    """Let a person's open sessions have begun, or been used, so much earlier."""
    with database.write(Routine("made by a test")) as session:
        for row in session.scalars(select(SignIn).where(SignIn.person == person, SignIn.ended_at.is_(None))):
            for name, earlier in times.items():
                setattr(row, name, getattr(row, name) - earlier)


def is_signed_in(hub: HubOnly, browser: httpx.Client) -> list[bool]:
    """At the hub, and at the governance service."""
    home, me = browser.get(f"{hub.url}/hub/home"), browser.get(f"{hub.url}/services/flip/api/me")
    return [home.url.path == "/hub/home", me.status_code == 200]


@pytest.mark.parametrize("times", [{"seen_at": timedelta(minutes=31)}, {"began_at": timedelta(hours=13)}])
def test_a_session_ends_for_every_part_of_the_hub(
    hub: HubOnly, browser: httpx.Client, database: Database, times: dict[str, timedelta]
) -> None:
    sign_in(hub.url, browser, "u-ben")
    assert is_signed_in(hub, browser) == [True, True]
    age(database, "ben", **times)
    assert is_signed_in(hub, browser) == [False, False]
    sign_in_again(hub, browser)
    assert is_signed_in(hub, browser) == [True, True]


def sign_in_again(hub: HubOnly, browser: httpx.Client) -> None:
    """The provider still knows the browser."""
    page = browser.get(f"{hub.url}/hub/oauth_login", params={"next": "/services/flip/"})
    assert page.url.path == "/services/flip/"


def test_signing_out_ends_it_for_whoever_copied_the_cookies_too(hub: HubOnly, browser: httpx.Client) -> None:
    sign_in(hub.url, browser, "u-ben")
    with httpx.Client(follow_redirects=True, cookies=browser.cookies) as thief:
        assert is_signed_in(hub, thief) == [True, True]
        left = browser.get(f"{hub.url}/services/flip/logout", follow_redirects=False)
        last = browser.get(f"{hub.url}{left.headers['location']}", follow_redirects=False)
        assert last.headers["location"].startswith(hub.config.oidc_issuer)
        assert "id_token_hint=" in last.headers["location"]
        assert is_signed_in(hub, browser) == [False, False]
        assert is_signed_in(hub, thief) == [False, False]


def test_a_hub_cookie_without_its_session_is_nobodys(hub: HubOnly, browser: httpx.Client) -> None:
    sign_in(hub.url, browser, "u-ben")
    for name in ("jupyterhub-session-id", "flip-session"):
        browser.cookies.delete(name)
    assert is_signed_in(hub, browser) == [False, False]


def test_the_hubs_cookies_are_out_of_reach_of_scripts_and_other_sites(hub: HubOnly, browser: httpx.Client) -> None:
    sign_in(hub.url, browser, "u-ben")
    page = browser.get(f"{hub.url}/services/flip/")
    answers = [answer for answer in page.history if "set-cookie" in answer.headers]
    with httpx.Client() as fresh:
        answers.append(fresh.get(f"{hub.url}/hub/oauth_login"))
    for cookie in (cookie for answer in answers for cookie in answer.headers.get_list("set-cookie")):
        assert "samesite=lax" in cookie.lower()
        assert "httponly" in cookie.lower() or cookie.startswith("_xsrf=")


# ---- at the door


def test_an_answer_that_nobody_asked_for_is_refused(hub: HubOnly, browser: httpx.Client) -> None:
    answer = browser.get(f"{hub.url}/hub/oauth_callback", params={"code": "c", "state": "s"})
    assert answer.status_code == 400
    blamed = browser.get(f"{hub.url}/hub/oauth_callback", params={"error": "x", "error_description": "Call 0800 …"})
    assert blamed.status_code == 403
    assert "0800" not in blamed.text


def test_passwords_do_not_work_any_more(hub: HubOnly, browser: httpx.Client) -> None:
    page = browser.get(f"{hub.url}/hub/login")
    assert 'name="password"' not in page.text
    assert "/hub/oauth_login" in page.text


def test_while_the_provider_is_away_people_stay_and_nobody_comes(
    hub: HubOnly, provider: Provider, browser: httpx.Client, database: Database
) -> None:
    sign_in(hub.url, browser, "u-ben")
    provider.program.kill()
    provider.program.wait()
    assert is_signed_in(hub, browser) == [True, True]
    with httpx.Client(follow_redirects=True) as newcomer:
        page = newcomer.get(f"{hub.url}/hub/oauth_callback", params={"code": "c", "state": "s"})
        assert page.status_code == 400
    left = browser.get(f"{hub.url}/hub/logout", follow_redirects=False)
    assert left.status_code == 302
    assert is_signed_in(hub, browser) == [False, False]
