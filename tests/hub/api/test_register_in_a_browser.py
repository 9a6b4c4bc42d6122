"""The public register in Chromium, without signing in: WCAG 2.2 AA by axe-core, at two widths."""

from __future__ import annotations

import json

import pytest
from flip_hub.database import Budget, Routine, now
from flip_hub.governance import witness

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import PICTURES, chromium, page_of, served, violations

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
DATABASES = ("sqlite",)


def test_everybody_can_read_it(hub) -> None:
    hub.ready(funders=("A charity",))
    witness.keep_up(hub.office.config, hub.office.database)
    with hub.office.database.write(Routine("a Trust's figure")) as session:
        figures = {"epsilon": 10.0, "delta": 1e-5, "spent": 0.8, "releases": 2, "reported_at": now()}
        session.add(Budget(trust="aldgate", project_id="cytology", **figures))
    found = {}
    with chromium() as browser, served(hub) as address:
        for width in (1280, 375):
            page = browser.new_context(base_url=address, viewport={"width": width, "height": 900}).new_page()
            for path in ("register", "register/cytology", "register/audit", "register?find=nothing"):
                page.goto(f"/services/flip/{path}")
                PICTURES.mkdir(parents=True, exist_ok=True)
                name = f"{path.replace('/', '-').replace('?', '-')}-{width}"
                page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
                results = violations(page)
                if results:
                    found[name] = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in results]
                if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
                    found[f"{name} is too wide"] = True
    assert found == {}, json.dumps(found, indent=1)


def test_reviewers_can_read_the_audit_log(hub) -> None:
    hub.ready()
    found = {}
    with chromium() as browser, served(hub) as address:
        for width in (1280, 375):
            page = page_of(browser, hub, address, "rufus")
            page.set_viewport_size({"width": width, "height": 900})
            for path in ("audit", "audit?text=nothing-like-it", "projects/cytology/audit"):
                page.goto(f"/services/flip/{path}")
                name = f"{path.replace('/', '-').replace('?', '-')}-{width}"
                page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
                results = violations(page)
                if results:
                    found[name] = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in results]
                if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
                    found[f"{name} is too wide"] = True
    assert found == {}, json.dumps(found, indent=1)
