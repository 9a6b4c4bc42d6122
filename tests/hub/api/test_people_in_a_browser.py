"""Pages of people in Chromium: WCAG 2.2 AA by axe-core, at two widths, with records missing, ending and waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flip_hub.database import Emergency, PersonRecord, Routine, now
from flip_hub.governance import emergencies, people, records
from flip_sdk.contract.emergencies import NewEmergency, ReviewEmergency
from flip_sdk.contract.people import NewPersonRecord

from demo.browser import CHROMIUM
from tests.hub.airlock.browsing import PICTURES, chromium, page_of, served, violations

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed here"),
]
DATABASES = ("sqlite",)


def _people(hub) -> None:
    database, today = hub.office.database, now().date()
    roles = ("researcher", "output checker")
    people.add_person(database, "new", display_name="Nia Newman", organisation="Elsewhere", roles=roles, by="olga")
    wanted = NewPersonRecord(kind="contract", reference="NB-12", issued_on=today, expires_on=today + timedelta(days=90))
    records.submit(hub.office, hub.who("new"), wanted)
    with database.write(Routine("a test turns the clock")) as session:
        session.get_one(PersonRecord, 1).expires_at = now() + timedelta(days=5)


def _emergencies(hub) -> Iterator[tuple[str, str]]:
    """What olga opened: read and used, over and overdue, and reviewed."""
    hub.draft()
    why = "A member of the public wrote that this draft names a patient."
    opened = emergencies.open_(hub.office, hub.who("olga"), NewEmergency(scope="read", target="cytology", reason=why))
    hub.browser("olga").get("/services/flip/projects/cytology")
    stolen = NewEmergency(scope="sessions", target="bea", reason="Bea's laptop was stolen while she was signed in.")
    over = emergencies.open_(hub.office, hub.who("olga"), stolen)
    done = emergencies.open_(hub.office, hub.who("olga"), stolen)
    words = ReviewEmergency(finding="justified", words="Bea confirmed it.")
    emergencies.review(hub.office, hub.who("mina"), done.emergency_id, words)
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        row = session.get_one(Emergency, over.emergency_id)
        row.ended_at = row.expires_at = now() - timedelta(days=5)
    yield "olga", "emergencies"
    yield "rufus", "emergencies"
    yield "olga", f"emergencies/{opened.emergency_id}"
    yield "rufus", f"emergencies/{over.emergency_id}"
    yield "rufus", f"emergencies/{done.emergency_id}"


def test_everybody_can_use_them(hub) -> None:
    _people(hub)
    looks: tuple[tuple[str, str], ...] = (
        ("new", "records"),
        ("new", ""),
        ("olga", "people"),
        ("olga", "people/new"),
        ("ada", "records"),
        *_emergencies(hub),
    )
    found = {}
    with chromium() as browser, served(hub) as address:
        for width in (1280, 375):
            for number, (who, path) in enumerate(looks):
                page = page_of(browser, hub, address, who, width=width)
                page.goto(f"/services/flip/{path}")
                PICTURES.mkdir(parents=True, exist_ok=True)
                name = f"people-{number}-{who}-{path.partition('/')[0]}-{width}"
                page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
                wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
                results = violations(page)
                if results or wide:
                    found[name] = [(one["id"], one["nodes"][0]["html"]) for one in results] or "scrolls sideways"
    assert not found, json.dumps(found, indent=1)
