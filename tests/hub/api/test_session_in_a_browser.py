"""The end of a session in Chromium: said in time, put off by a key, and said when it has come."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flip_hub.database import Routine, SignIn
from flip_hub.governance import sign_ins

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import PICTURES, chromium, page_of, served, violations

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
DATABASES = ("sqlite",)


def age(hub, **times: timedelta) -> None:
    with hub.office.database.write(Routine("made by a test")) as session:
        row = session.get_one(SignIn, sign_ins.key("s1"))
        for name, earlier in times.items():
            setattr(row, name, getattr(row, name) - earlier)


@pytest.mark.parametrize("width", [1280, 375])
def test_the_end_is_said_in_time_and_put_off(hub, width: int) -> None:
    sign_ins.begin(hub.office.database, "s1", "ada", "password", {})
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, served(hub) as address:
        page = page_of(browser, hub, address, "ada", width=width, session="s1")
        page.clock.install()
        page.goto("/services/flip/")
        place = page.locator("[data-session]")
        assert not place.inner_text()
        age(hub, seen_at=timedelta(minutes=28, seconds=30))
        page.clock.fast_forward("28:30")
        place.get_by_text("You will be signed out").wait_for()
        page.screenshot(path=PICTURES / f"session-warning-{width}.png")
        results = violations(page)
        assert results == [], json.dumps([(one["id"], one["nodes"][0]["html"]) for one in results])
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        place.get_by_role("button").focus()
        page.keyboard.press("Enter")
        place.locator("button").wait_for(state="detached")
        age(hub, seen_at=timedelta(minutes=31))
        page.clock.fast_forward("29:00")
        place.get_by_text("Sign in again").wait_for()
        page.screenshot(path=PICTURES / f"session-ended-{width}.png")
