"""Signing in at one's organisation in Chromium, at two widths; and what a workspace's token is worth afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx
import psutil
import pytest
from flip_hub.database import Database, Routine, SignIn, now
from playwright.sync_api import Page
from sqlalchemy import select

from demo.browser import CHROMIUM
from demo.hub_only import HubOnly
from demo.processes import wait_until
from tests.hub.airlock.browsing import PICTURES, chromium, violations
from tests.hub.jupyterhub.homes import OPEN
from tests.hub.jupyterhub.providers import Provider, organisation, person, sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.processes,
    pytest.mark.xdist_group("organisation-in-a-browser"),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubOnly, Provider]]:
    people = {"u-ada": person("ada", "flip-researchers"), "u-sven": person("sven", "some-other-group")}
    with organisation(tmp_path_factory.mktemp("organisation") / "home", people) as made:
        yield made


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here")
@pytest.mark.parametrize("width", [1280, 375])
def test_people_go_to_their_organisation_and_come_back(both: tuple[HubOnly, Provider], width: int) -> None:
    hub, _ = both
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        page.goto(f"{hub.url}/services/flip/catalogue")
        looked_at(page, f"sign-in-{width}")
        through_the_form(page, "u-ada")
        page.wait_for_url("**/services/flip/catalogue")
        page.get_by_role("link", name="Sign out").click()
        page.wait_for_url("**/session/end**")
        other = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        other.goto(f"{hub.url}/services/flip/")
        through_the_form(other, "u-sven")
        other.get_by_text("not registered at this hub").wait_for()
        looked_at(other, f"sign-in-refused-{width}")


def through_the_form(page: Page, subject: str) -> None:
    page.get_by_role("button", name="Sign in with Northbridge University").click()
    page.locator("[name=name]").fill(subject)
    page.locator("[name=second]").fill("123456")
    page.get_by_role("button", name="Sign in").click()


def looked_at(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png")
    results = violations(page)
    assert results == [], json.dumps([(one["id"], one["nodes"][0]["html"]) for one in results])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_work_in_a_workspace_keeps_the_session_open(both: tuple[HubOnly, Provider]) -> None:
    hub, _ = both
    database = Database.of(hub.config)

    def idle() -> float:
        with database.read() as session:
            row = session.scalars(select(SignIn).where(SignIn.person == "ada").order_by(SignIn.began_at.desc())).first()
            assert row is not None
            return (now() - row.seen_at).total_seconds()

    with httpx.Client(follow_redirects=True, timeout=60) as browser:
        sign_in(hub.url, browser, "u-ada")
        browser.get(f"{hub.url}/hub/spawn/ada/{OPEN}")
        lab = f"{hub.url}/user/ada/{OPEN}/lab"
        wait_until(lambda: browser.get(lab).url.path.endswith("/lab"), 60, "no workspace", every=0.5)
        with database.write(Routine("made by a test")) as session:
            for row in session.scalars(select(SignIn).where(SignIn.person == "ada", SignIn.ended_at.is_(None))):
                row.seen_at -= timedelta(minutes=20)

        def works() -> bool:
            assert browser.get(f"{hub.url}/user/ada/{OPEN}/api/kernels").status_code == 200
            return idle() < 60

        wait_until(works, 60, "work in a workspace is not seen", every=0.5)
    database.close()


def test_a_workspaces_token_ends_with_its_persons_place_at_the_provider(both: tuple[HubOnly, Provider]) -> None:
    hub, provider = both
    with httpx.Client(follow_redirects=True, timeout=60) as browser:
        sign_in(hub.url, browser, "u-ada")
        browser.get(f"{hub.url}/hub/spawn/ada/{OPEN}")
        wait_until(lambda: bool(tokens(hub)), 60, "no workspace", last_words=hub.keeper.last_words)
        (token,) = tokens(hub)
        asked = {"Authorization": f"token {token}"}
        me = lambda: httpx.get(f"{hub.url}/services/flip/api/me", headers=asked).status_code  # noqa: E731
        wait_until(lambda: me() == 200, 60, "its token is not good", last_words=hub.keeper.last_words)
        provider.change("u-ada", active=False)
        browser.get(f"{hub.url}/hub/home")
        wait_until(lambda: me() == 401, 60, "its token is still good", last_words=hub.keeper.last_words)


def tokens(hub: HubOnly) -> set[str]:
    """Of the workspaces that run."""
    found = [psutil.Process(pid).environ() for pid in hub.pids("jupyterhub.singleuser")]
    return {environ["JUPYTERHUB_API_TOKEN"] for environ in found if "JUPYTERHUB_API_TOKEN" in environ}
