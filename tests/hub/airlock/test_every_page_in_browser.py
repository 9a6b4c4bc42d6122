"""Every page of the hub in Chromium, for somebody who may see it and somebody who may not: WCAG 2.2 AA, two widths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import chromium, page_of, served, violations
from tests.hub.airlock.situations import BASE, PAGES, PUBLIC, World
from tests.hub.airlock.test_authorisation_matrix import Case, _cases

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
DATABASES = ("sqlite",)
WIDTHS = (1280, 375)
NO_PAGES = (
    "/download",
    "/content",
    "/image",
    "agreement.md",
    "/session",
    "/oauth_callback",
    "/logout",
    "{part}",
    "/thumbnail",
)
"""Files, and addresses that lead on."""


def _looks(world: World) -> Iterator[tuple[str, str]]:
    """Who opens which address: for each, one who may and one who may not; at a workspace nobody has a browser."""
    pages = {route: action for route, action in PAGES.items() if route.startswith("GET") and not _leads_on(route)}
    people = [case for case in _cases(world, pages) if "@" not in case.who]
    chosen: dict[tuple[str, bool], Case] = {}
    for case in people:
        chosen.setdefault((case.address, case.allowed), case)
    yield from ((case.who, case.address) for case in chosen.values())
    for route, action in pages.items():
        if action == PUBLIC:
            for name in world.objects if "{project_id}" in route else ("",):
                yield "ada", route.partition(" ")[2].replace("{project_id}", name)


def _leads_on(route: str) -> bool:
    return any(part in route for part in NO_PAGES)


def _found(page: Page, path: str) -> list[str]:
    """What is wrong with a page."""
    answer = page.goto(BASE + path)
    assert answer is not None
    if not (answer.headers.get("content-type") or "").startswith("text/html"):
        return [f"no page: {answer.status}"]
    assert answer.status < 500, path
    told = [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in violations(page)]
    if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
        told.append("too wide")
    if not re.search(r"\S", page.title()) or page.locator("h1").count() != 1:
        told.append("not one heading, or no title")
    return told


def test_every_page_is_accessible_to_whoever_opens_it(world) -> None:
    looks = list(_looks(world))
    assert len(looks) > 2 * sum(route.startswith("GET") and not _leads_on(route) for route in PAGES)
    found: dict[str, list[str]] = {}
    with chromium() as browser, served(world.airlock.hub) as address:
        for width in WIDTHS:
            opened: dict[str, Page] = {}
            for who, path in looks:
                if who not in opened:
                    opened[who] = page_of(browser, world.airlock.hub, address, who, width=width)
                if told := _found(opened[who], path):
                    found[f"{who} {path} {width}"] = told
            for page in opened.values():
                page.context.close()
    assert found == {}, json.dumps(found, indent=1)
