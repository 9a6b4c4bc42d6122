"""Pages of what people show: handed in by a form, verified by another person's form, and who sees what."""

from __future__ import annotations

import re
from datetime import timedelta

from flip_hub.database import now
from flip_hub.governance import people

from tests.hub.conftest import PAGES


def _csrf(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


def _sent(browser, **changes: str) -> dict[str, str]:
    today = now().date()
    content = {"kind": "contract", "reference": "NB-12", "issued_on": str(today)}
    content |= {"expires_on": str(today + timedelta(days=90)), "evidence": ""}
    return content | changes | {"csrf_token": _csrf(browser.get(f"{PAGES}/records").text)}


def test_a_record_is_handed_in_and_verified_on_pages(hub) -> None:
    people.add_person(hub.office.database, "new", display_name="Nia", organisation="E", roles=("clinician",), by="olga")
    mine, verifier = hub.browser("new"), hub.browser("rufus")
    assert "need no record" in mine.get(f"{PAGES}/records").text
    assert mine.post(f"{PAGES}/records", data=_sent(mine)).status_code == 303
    assert "Waiting" in mine.get(f"{PAGES}/records").text

    assert "Nia: Contract with the organisation" in verifier.get(f"{PAGES}/people").text
    page = verifier.get(f"{PAGES}/people/new").text
    action = re.search(r'action="([^"]+/people/new/records/\d+)"', page)
    assert action
    refused = verifier.post(action[1], data={"csrf_token": _csrf(page), "decision": "refuse", "words": "No"})
    assert refused.status_code == 422
    assert "A refusal needs words" in refused.text
    done = verifier.post(action[1], data={"csrf_token": _csrf(page), "decision": "verify", "words": "Seen on paper."})
    assert (done.status_code, done.headers["location"]) == (303, f"{PAGES}/people/new")
    assert "Seen on paper." in mine.get(f"{PAGES}/records").text
    assert mine.post(action[1], data={"csrf_token": "x"}).status_code == 403


def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(hub) -> None:
    ada = hub.browser("ada")
    sent = _sent(ada, reference="x", evidence="a.pdf", expires_on="")
    answer = ada.post(f"{PAGES}/records", data=sent)
    assert answer.status_code == 422
    for name in ("reference", "evidence", "expires_on"):
        assert f'href="#{name}"' in answer.text
    assert 'value="a.pdf"' in answer.text
    late = ada.post(f"{PAGES}/records", data=_sent(ada, kind="information_governance", expires_on="2099-01-01"))
    assert late.status_code == 422
    assert "good for 366 days at most" in late.text


def test_who_sees_whose(hub) -> None:
    for name, everybody, adas in (("ada", 403, 200), ("rufus", 200, 200), ("olga", 200, 200), ("bea", 403, 403)):
        assert hub.browser(name).get(f"{PAGES}/people").status_code == everybody, name
        assert hub.browser(name).get(f"{PAGES}/people/ada").status_code == adas, name
    assert "Nobody fits" in hub.browser("olga").get(f"{PAGES}/people?find=zzz").text
    assert hub.browser("olga").get(f"{PAGES}/people/nobody").status_code == 404
    assert "Nobody verifies their own records" in hub.browser("rufus").get(f"{PAGES}/people/rufus").text
