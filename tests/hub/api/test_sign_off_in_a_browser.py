"""Deciding on a job in Debian's Chromium: by keyboard alone, on a phone, and for those who use a screen reader."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from flip_hub.database import Job
from flip_sdk.contract.states import JobState
from playwright.sync_api import expect

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import PICTURES, chromium, page_of, served
from tests.hub.api.test_sign_off_pages import waiting_job

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
DATABASES = ("sqlite",)
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


def test_a_reviewer_decides_by_keyboard_alone(hub, browser) -> None:
    job_id = waiting_job(hub)
    with served(hub) as address:
        watching = page_of(browser, hub, address, "ada")
        watching.goto(f"/services/flip/jobs/{job_id}")
        expect(watching.get_by_text("Waits for a decision")).to_be_visible()
        page = page_of(browser, hub, address, "rufus", scripts=False)
        page.goto("/services/flip/")
        page.get_by_role("link", name="Train job of cytology").focus()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Go to the decision").focus()
        page.keyboard.press("Enter")
        for key in ("Tab", "Space", "Tab", "Tab", "Space", "Tab"):
            page.keyboard.press(key)
        page.keyboard.type("It is worth it.")
        page.keyboard.press("Tab")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.get_by_text("A reviewer signed it off").first).to_be_visible()
        # the researcher's open page goes on by itself
        expect(watching.locator("#job-round")).to_be_visible()
    with hub.office.database.read() as session:
        assert session.get_one(Job, job_id).state == JobState.SIGNED_OFF


@pytest.mark.parametrize("width", [1280, 375])
def test_the_pages_are_for_everybody_at_every_width(hub, browser, width: int) -> None:
    job_id = waiting_job(hub)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with served(hub) as address:
        for who, path, name in (
            ("rufus", f"jobs/{job_id}/sign-off", "evidence"),
            ("rufus", "", "queue"),
            ("ada", f"jobs/{job_id}", "job"),
        ):
            page = page_of(browser, hub, address, who, width=width)
            page.goto(f"/services/flip/{path}")
            for details in page.locator("details").all():
                details.evaluate("one => one.open = true")
            page.screenshot(path=PICTURES / f"sign-off-{name}-{width}.png", full_page=True)
            found = Axe().run(page, options=WCAG)
            assert not found.response["violations"], found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
