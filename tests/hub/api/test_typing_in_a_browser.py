"""Drafts as typed in Debian's Chromium, over the real service: saved, told of, and not lost with a closed session."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from flip_hub.api import create_app
from flip_hub.database import now
from flip_hub.governance import comments, projects, reviews
from flip_sdk.contract.applications import NewComment, NewCondition, Reference, Review
from playwright.sync_api import Browser, Page, expect, sync_playwright

from demo.browser import _SWITCHES, CHROMIUM
from demo.platform import REPOSITORY
from demo.processes import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
AXE = REPOSITORY / "hub" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PICTURES = REPOSITORY / "build" / "screenshots"
WIDTHS = (1280, 375)
DATABASES = ("sqlite",)
PAGES = ("", *(f"projects/cytology{page}" for page in ("", "/application", "/versions", "/agreement")))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def address(hub) -> Iterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(create_app(hub.office.config, hub.authenticator), port=0, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 60, "the service", every=0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/services/flip/"
    server.should_exit = True
    thread.join()


def _page(chromium: Browser, hub, address: str, name: str) -> Page:
    context = chromium.new_context(viewport={"width": WIDTHS[0], "height": 900})
    _sign_in(context, hub, address, name)
    page = context.new_page()
    page.problems = []  # type: ignore[attr-defined]
    page.on("console", lambda said: page.problems.append(said.text) if said.type == "error" else None)  # type: ignore[attr-defined]
    return page


def _sign_in(context: Any, hub, address: str, name: str) -> None:
    token = hub.authenticator.sign_in(name)
    context.add_cookies([{"name": "flip-session", "value": token, "url": address}])


def _axe(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}" for one in found["violations"]]


def _fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_what_is_typed_is_saved_and_outlives_the_session(hub, chromium: Browser, address: str) -> None:
    def benefit() -> str:
        return projects.show(hub.office, hub.who("ada"), "cytology").application.public_benefit

    hub.draft(team=("alan",), lay_summary="")
    page = _page(chromium, hub, address, "ada")
    page.goto(f"{address}projects/cytology/edit")
    page.get_by_label("Lay summary").fill("Which cells are ill, in words for everybody.")
    expect(page.locator("#draft-state")).to_contain_text("Saved")
    assert projects.show(hub.office, hub.who("ada"), "cytology").application.lay_summary.startswith("Which cells")
    page.get_by_label("Privacy budget: epsilon").fill("1")
    expect(page.locator("#meaning")).to_contain_text("73.2 %")
    second = page.context.new_page()
    second.goto(f"{address}projects/cytology/edit")
    second.get_by_label("Title", exact=True).fill("A title of the second tab")
    expect(second.locator("#draft-state")).to_contain_text("Saved")
    page.get_by_label("Title", exact=True).fill("A title of the first tab")
    expect(page.locator("#note-title")).to_contain_text("A title of the second tab")
    assert page.problems == []  # type: ignore[attr-defined]
    hub.authenticator.tokens.clear()
    page.get_by_label("Public benefit").fill("What is typed after the session ended stays, too.")
    expect(page.locator("#draft-state")).to_contain_text("you are signed out")
    _sign_in(page.context, hub, address, "ada")
    page.get_by_role("link", name="Sign in again").click()
    # the title, which the other tab had changed, is sent again as well: either field may be told of last
    wait_until(lambda: benefit().endswith("stays, too."), 20, "what was typed is saved", every=0.05)
    expect(page.get_by_label("Public benefit")).to_have_value("What is typed after the session ended stays, too.")
    page.close()


@pytest.mark.slow
def test_pages_are_accessible_and_fit(hub, chromium: Browser, address: str) -> None:
    _a_life(hub)
    hub.approved("closed-project")
    projects.change_state(hub.office, hub.who("olga"), "closed-project", "closed", "It is done.")
    rufus, ada = _page(chromium, hub, address, "rufus"), _page(chromium, hub, address, "ada")
    visits = [(rufus, path) for path in PAGES]
    visits += [(rufus, f"projects/{hub.submitted('third-project')}"), (rufus, "projects/closed-project/certificate")]
    visits += [(ada, path) for path in ("apply", "projects/cytology", "projects/cytology/agreement")]
    visits += [(ada, f"projects/{hub.draft('second-project')}/edit")]
    found: dict[str, Any] = {}
    for visitor, path in visits:
        visitor.goto(f"{address}{path}")
        for width in WIDTHS:
            visitor.set_viewport_size({"width": width, "height": 900})
            name = f"governance-{path.replace('/', '-') or 'first'}-{'ada' if visitor is ada else 'rufus'}-{width}"
            visitor.screenshot(path=PICTURES / f"{name}.png", full_page=True)
            if problems := _axe(visitor):
                found[name] = problems
            if not _fits(visitor):
                found[f"{name} is too wide"] = True
    assert found == {}, json.dumps(found, indent=1)


def _a_life(hub) -> None:
    """A project that was sent back, commented on, changed and approved on a condition, and ends soon."""
    soon = (now() + timedelta(days=6)).date()
    reference = Reference(kind="rec", number="24/LO/0001", expires_on=soon, needed=True)
    hub.submitted(team=("alan",), references=(reference,))
    asked = Review(decision="request_changes", comment="See the comments.", declares="none")
    reviews.review(hub.office, hub.who("rufus"), "cytology", asked)
    comments.comment(hub.office, hub.who("rufus"), "cytology", NewComment(field="lay_summary", text="Which patients?"))
    changed = hub.application(team=("alan",), references=(reference,), lay_summary="Can a small model tell ill cells?")
    projects.edit(hub.office, hub.who("ada"), "cytology", changed)
    projects.submit(hub.office, hub.who("ada"), "cytology")
    condition = NewCondition(text="Name a clinical lead at each Trust", before_start=True)
    approval = Review(decision="approve", comment="Clear.", declares="none", conditions=(condition,))
    reviews.review(hub.office, hub.who("rufus"), "cytology", approval)
    reviews.review(hub.office, hub.who("mina"), "cytology", Review(decision="approve", declares="none"))
