"""Pages of people in Chromium: WCAG 2.2 AA by axe-core, at two widths, with records missing, ending and waiting."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from flip_hub.database import PersonRecord, Routine, now
from flip_hub.governance import people, records
from flip_sdk.contract.people import NewPersonRecord

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import PICTURES, chromium, page_of, served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
DATABASES = ("sqlite",)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def _people(hub) -> None:
    database, today = hub.office.database, now().date()
    roles = ("researcher", "output checker")
    people.add_person(database, "new", display_name="Nia Newman", organisation="Elsewhere", roles=roles, by="olga")
    wanted = NewPersonRecord(kind="contract", reference="NB-12", issued_on=today, expires_on=today + timedelta(days=90))
    records.submit(hub.office, hub.who("new"), wanted)
    with database.write(Routine("a test turns the clock")) as session:
        session.get_one(PersonRecord, 1).expires_at = now() + timedelta(days=5)


def test_everybody_can_use_them(hub) -> None:
    _people(hub)
    looks = (
        ("new", "records"),
        ("new", ""),
        ("olga", "people"),
        ("olga", "people/new"),
        ("ada", "records"),
    )
    found = {}
    with chromium() as browser, served(hub) as address:
        for width in (1280, 375):
            for who, path in looks:
                page = page_of(browser, hub, address, who, width=width)
                page.goto(f"/services/flip/{path}")
                PICTURES.mkdir(parents=True, exist_ok=True)
                name = f"people-{who}-{path.replace('/', '-')}-{width}"
                page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
                wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
                results = Axe().run(page, options={"runOnly": RULES}).response["violations"]
                if results or wide:
                    found[name] = [(one["id"], one["nodes"][0]["html"]) for one in results] or "scrolls sideways"
    assert not found, json.dumps(found, indent=1)
