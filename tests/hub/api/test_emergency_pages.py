"""Pages of emergency access: opened by a form, ended, and reviewed by somebody else's."""

from __future__ import annotations

import re

from tests.hub.conftest import PAGES


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


def test_it_is_opened_ended_and_reviewed_on_pages(hub) -> None:
    hub.draft()
    olga, rufus = hub.browser("olga"), hub.browser("rufus")
    assert olga.get(f"{PAGES}/projects/cytology").status_code == 404
    page = olga.get(f"{PAGES}/emergencies").text
    assert "None was opened yet" in page
    sent = {"csrf_token": _token(page), "scope": "read", "target": "cytology", "reason": "Short.", "hours": "1"}
    wrong = olga.post(f"{PAGES}/emergencies", data=sent)
    assert wrong.status_code == 422
    assert 'href="#reason"' in wrong.text
    assert 'value="cytology"' in wrong.text
    sent["reason"] = "A member of the public wrote that it names a patient."
    opened = olga.post(f"{PAGES}/emergencies", data=sent)
    assert opened.status_code == 303
    place = opened.headers["location"]
    assert olga.get(f"{PAGES}/projects/cytology").status_code == 200

    seen = rufus.get(place).text
    assert "GET projects/cytology" in seen
    assert rufus.post(f"{place}/end", data={"csrf_token": _token(seen)}).status_code == 303
    assert olga.get(f"{PAGES}/projects/cytology").status_code == 404
    said = {"csrf_token": _token(seen), "finding": "not_justified", "words": "No name"}
    assert rufus.post(f"{place}/review", data=said).status_code == 422
    assert "Somebody else reviews it" in olga.get(place).text
    assert rufus.post(f"{place}/review", data={**said, "words": "There is no name in it."}).status_code == 303
    assert "There is no name in it." in olga.get(place).text


def test_who_sees_them(hub) -> None:
    for name, status in (("ada", 403), ("sam", 403), ("rufus", 200), ("olga", 200)):
        browser = hub.browser(name)
        assert browser.get(f"{PAGES}/emergencies").status_code == status, name
    assert "Open it" not in hub.browser("rufus").get(f"{PAGES}/emergencies").text
    assert hub.browser("olga").get(f"{PAGES}/emergencies/nothing").status_code == 404
