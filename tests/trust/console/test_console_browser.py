"""A data steward at the console, in Debian's Chromium: by keyboard alone, and every page as axe-core sees it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from flip_trust import consent
from flip_trust.console.service import Address, create_app
from playwright.sync_api import Page, expect

from demo.browser import CHROMIUM, Browser
from demo.platform import REPOSITORY
from tests.trust.console.lived_in import live
from tests.trust.console.world import SAM, STYLES, Console, open_console
from tests.trust.world import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]

PHONE = 375
PICTURED = (0, 2, 4, 9, 13)
"""Pages that a picture is kept of as a phone shows them: every one has to fit."""


@pytest.fixture
def served(trust) -> Iterator[tuple[Console, Address, str]]:
    """A console that really listens: with what it shows, where it is, and a job that ran."""
    console = open_console(trust)
    job = live(console)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = replace(Address(), port=taken.getsockname()[1])
    app = create_app(trust.config, trust.database, address, components=STYLES)
    server = uvicorn.Server(
        uvicorn.Config(app, host=address.host, port=address.port, log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield replace(console, app=app), address, job
    server.should_exit = True
    thread.join(20)


def pages(job: str) -> tuple[str, ...]:
    image = f"{1:040x}.dcm"
    return (
        "", "projects", "projects/breast-cytology", "projects/odd", "projects/stroke-ct/opt-in",
        "projects/breast-cytology/pause", "projects/breast-cytology/leave", "projects/breast-cytology/questions",
        f"jobs/{job}", "ledger", "ledger?project=breast-cytology", "quarantine",
        f"quarantine/images/deidentification/{image}", "audit", "trusts", "settings", "nowhere",
    )  # fmt: skip


def test_a_steward_opts_in_by_keyboard_and_every_page_is_accessible(served) -> None:
    console, address, job = served
    with Browser(address.url.rstrip("/"), REPOSITORY / "build" / "screenshots") as browser:
        page = browser.visitor()
        page.goto(f"/enter?link={console.desk.sessions.link(SAM)}")
        look(browser, page, "enter")
        press(page, "Come in")
        expect(page.get_by_role("heading", name="Today at Aldgate")).to_be_visible()
        opt_in_by_keyboard(browser, page, console)
        wrong: list[str] = []
        for width in (1280, PHONE):
            page.set_viewport_size({"width": width, "height": 900})
            for number, path in enumerate(pages(job)):
                page.goto(f"/{path}")
                if width > PHONE or number in PICTURED:
                    browser.picture(page, f"console-{width}-{number:02d}", whole=True)
                if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                    wrong.append(f"{path} at {width} is wider than the window")
                if width > PHONE and (found := Axe().run(page)).violations_count:
                    wrong.append(f"{path}: {found.generate_report()}")
        assert wrong == [], "\n".join(wrong)
        assert browser.problems == []


def opt_in_by_keyboard(browser: Browser, page: Page, console: Console) -> None:
    press(page, "Stroke on CT")
    press(page, "Opt in")
    tab_to(page, "epsilon")
    page.keyboard.press("Control+a")
    page.keyboard.type("50")
    press(page, "Read it once more")
    expect(page.get_by_text("There is a problem")).to_be_visible()
    look(browser, page, "problem")
    tab_to(page, "epsilon")
    page.keyboard.press("Control+a")
    page.keyboard.type("2.5")
    press(page, "Read it once more")
    expect(page.get_by_role("heading", name="Check your terms before they hold")).to_be_visible()
    look(browser, page, "check")
    press(page, "Opt in on these terms")
    expect(page.get_by_text("Opted in", exact=True)).to_be_visible()
    decided = consent.standing(console.trust.database, "stroke-ct")
    assert decided is not None
    assert (decided.terms.epsilon, decided.decided_by) == (2.5, "sam")


def look(browser: Browser, page: Page, name: str) -> None:
    """Keep a picture of a page on the way, and have axe-core look at it."""
    browser.picture(page, f"console-{name}", whole=True)
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until what has the focus has this id, or this text."""
    for _ in range(80):
        page.keyboard.press("Tab")
        found = page.evaluate("[document.activeElement.id, document.activeElement.textContent.trim()]")
        if wanted in found:
            return
    raise AssertionError(f"no Tab leads to {wanted}")


def press(page: Page, wanted: str) -> None:
    tab_to(page, wanted)
    with page.expect_navigation():
        page.keyboard.press("Enter")
