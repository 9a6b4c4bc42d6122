"""What workspaces may use and what they used, in Chromium: read by people of two roles, at two widths."""

from __future__ import annotations

import pytest
from flip_hub.governance import resources, usage
from flip_hub.governance.profiles import profiles
from flip_sdk.contract.workspaces import NewResources

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import chromium, page_of, served, violations
from tests.hub.conftest import PAGES

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
DATABASES = ("sqlite",)


def test_both_pages_are_accessible(hub) -> None:
    hub.approved()
    wanted = NewResources(profiles=("gpu", "slice"), gpu_hours=10)
    resources.give(hub.office, hub.who("olga"), "cytology", wanted)
    usage.began(hub.office.database, "cytology", "ada", profiles(hub.office.config).named("gpu"))
    found = {}
    with chromium() as browser, served(hub) as address:
        for who, path in (("olga", "usage"), ("olga", "projects/cytology"), ("ada", "projects/cytology")):
            for width in (1280, 375):
                page = page_of(browser, hub, address, who, width=width)
                page.goto(f"{PAGES}/{path}")
                for closed in page.locator("details").all():
                    closed.locator("summary").click()
                told = [one["id"] for one in violations(page)]
                if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                    told.append("too wide")
                if told:
                    found[f"{who} {path} {width}"] = told
                page.context.close()
    assert found == {}
