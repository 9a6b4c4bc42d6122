"""The gallery in Chromium: cards, search, versions; two widths, read by axe-core, and by keyboard."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flip_hub.database import now
from flip_hub.governance import dashboards, links
from flip_sdk.contract.api import PublishDashboard
from flip_sdk.contract.links import AskLink
from playwright.sync_api import expect

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import PICTURES, chromium, page_of, served, violations
from tests.hub.conftest import PAGES

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
DATABASES = ("sqlite",)
KINDS = ("training report", "model card", "cohort report", "fairness", "monitoring")
TITLES = (
    "How the model was trained",
    "Malignant or benign: the model’s card",
    "Who is in the cohort",
    "Women and men, young and old",
    "Does it still hold?",
)


def released(airlock: Any, name: str, title: str, kind: Any, audience: str) -> None:
    content = f'{{"cells": [], "metadata": {{"name": "{name}"}}}}'.encode()
    wanted = PublishDashboard(notebook=airlock.upload(content), name=name, title=title, kind=kind)
    dashboards.publish(airlock.hub.office, airlock.hub.who("ada"), "cytology", wanted)
    airlock.released({f"{name}.txt": content}, **{f"{name}.txt": {"dashboard": name}})


def test_people_find_read_and_choose_dashboards(airlock: Any) -> None:
    hub = airlock.hub
    for number, (kind, title) in enumerate(zip(KINDS, TITLES, strict=True)):
        released(airlock, f"board-{number}", title, kind, "project")
    released(airlock, "board-0", "How the model was trained again", "training report", "project")
    asked = AskLink(readers=("bea", "nora"), ends_at=now() + timedelta(days=9), reason="For the steering committee.")
    links.ask(hub.office, hub.who("ada"), "cytology", "board-0", asked)
    found = {}
    with chromium() as browser, served(hub) as address:
        for who, path, width in (
            *(("ada", "dashboards", width) for width in (1280, 375)),
            *(("ada", "dashboards/cytology/board-0", width) for width in (1280, 375)),
            *(("ada", "dashboards/cytology/board-0/links", width) for width in (1280, 375)),
            *(("cora", "links", width) for width in (1280, 375)),
            ("rufus", "dashboards", 1280),
        ):
            page = page_of(browser, hub, address, who, width=width)
            page.goto(f"{address}{PAGES}/{path}")
            told = [one["id"] for one in violations(page)]
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                told.append("too wide")
            if told:
                found[f"{who} {path} {width}"] = told
            page.screenshot(path=PICTURES / f"gallery-{who}-{path.replace('/', '-')}-{width}.png", full_page=True)
            page.context.close()
        assert found == {}

        page = page_of(browser, hub, address, "ada")
        page.goto(f"{address}{PAGES}/dashboards")
        expect(page.get_by_role("link", name=TITLES[1], exact=True)).to_be_visible()
        page.get_by_label("Title or project").fill("card")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("1 dashboard that matches")
        page.get_by_role("link", name="Show all").click()
        page.get_by_role("link", name=re.compile("^Version 2 of How the model was trained again")).click()
        page.get_by_role("button", name="Show version 1").press("Enter")
        expect(page.get_by_role("button", name="Show version 2")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[0])
