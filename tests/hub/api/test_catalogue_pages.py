"""The catalogue's pages: what is shown of what Trusts publish, to whom, and without any script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flip_hub.api.pages.catalogue_view import ON_A_PAGE
from flip_hub.governance import people
from flip_sdk.contract.holdings import (
    ConceptHolding,
    Holdings,
    HoldingsNoise,
    ImagingHolding,
    QualityHolding,
    TableHolding,
    YearHolding,
)
from flip_sdk.contract.notices import CatalogueConcept

from tests.hub.conftest import CONCEPTS

BASE = "/services/flip"
RADIUS, MALIGNANT = 2_000_000_001, 2_000_000_101


def holdings(**parts: Any) -> Holdings:
    noise = HoldingsNoise(concepts=4, imaging=9, years=9, tables=8)
    return Holdings(noise=noise, floor=10, rounding=5, epsilon=2.5, delta=1e-5, **parts)


FULL = holdings(
    concepts=(ConceptHolding(concept_id=RADIUS, persons=1235), ConceptHolding(concept_id=MALIGNANT, persons=40)),
    imaging=(ImagingHolding(modality="CT", persons=905), ImagingHolding(modality="CT", body_part="CHEST", persons=455)),
    years=tuple(YearHolding(table="measurement", year=year, persons=100 + year) for year in (2019, 2020, 2023)),
    tables=(TableHolding(table="measurement", persons=1240, latest="2026-09", recent=310),),
    quality=(
        QualityHolding(
            category="plausibility", table="measurement", check="x is in order", percent=7, within=0.5, allowed=1
        ),
        QualityHolding(category="plausibility", table="person", check="y is in order", percent=0, within=1, allowed=1),
    ),
)


@pytest.fixture
def shown(hub):
    """A project of two Trusts, of which one tells numbers."""
    hub.approved()
    hub.notice(hub.trusts["aldgate"].catalogue(*CONCEPTS, holdings=FULL))
    hub.notice(hub.trusts["brookfield"].catalogue(*CONCEPTS))
    return hub


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("page", ["catalogue", "projects/cytology/catalogue"])
def test_everything_that_was_published_is_on_the_page(shown, page: str) -> None:
    answer = shown.browser("ada").get(f"{BASE}/{page}")
    text = text_of(answer.text)

    assert answer.status_code == 200
    for words in (
        "mean radius 2000000001",
        "1,235",
        "905",
        "Chest",
        "2,123",
        "September 2026",
        "310",
        "1 of 2",
        "x is in order (7 ± 0.5 % fail)",
        "0.1 number of persons, 2.5 what it holds",
        "Brookfield Hospital published no numbers",
    ):
        assert words in text, words
    assert "y is in order" not in text


def test_no_script_or_style_stands_in_the_page(shown) -> None:
    answer = shown.browser("ada").get(f"{BASE}/catalogue")
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text)
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_what_a_trust_writes_is_text(hub) -> None:
    evil = CatalogueConcept(concept_id=7, name="<script>alert(1)</script>", domain="Condition", unit='"><img src=x>')
    hub.notice(hub.trusts["aldgate"].catalogue(evil))
    html = hub.browser("ada").get(f"{BASE}/catalogue?find=<script>").text
    assert "<script>alert" not in html
    assert "<img" not in html


def test_concepts_are_searched_by_name_number_and_kind(shown) -> None:
    browser = shown.browser("ada")

    def found(query: str) -> list[str]:
        return re.findall(r"flip-id\">(\d+)<", browser.get(f"{BASE}/catalogue?{query}").text)

    assert found("find=TEXTURE") == ["2000000002"]
    assert found("find=2000000101") == ["2000000101"]
    assert found("domain=Gender") == ["2000000201"]
    assert found("")[:2] == [str(RADIUS), str(MALIGNANT)]  # those of most persons first
    assert "No concept is called that" in browser.get(f"{BASE}/catalogue?find=nothing").text


def test_many_concepts_come_in_pages(hub) -> None:
    many = [CatalogueConcept(concept_id=i, name=f"drug {i:03}", domain="Drug") for i in range(1, ON_A_PAGE + 3)]
    hub.notice(hub.trusts["aldgate"].catalogue(*many))
    browser = hub.browser("ada")
    first, last = (browser.get(f"{BASE}/catalogue?page={page}").text for page in (1, 99))
    assert "drug 001" in first
    assert "drug 022" not in first
    assert "?page=2#concepts" in first
    assert "drug 022" in last
    assert browser.get(f"{BASE}/catalogue?page=0").status_code == 422


def test_one_trust_can_be_looked_at_alone(shown) -> None:
    browser = shown.browser("ada")
    text = text_of(browser.get(f"{BASE}/projects/cytology/catalogue?trust=brookfield").text)
    assert "No numbers were published" in text
    assert "1,235" not in text
    assert "There is no catalogue of a Trust called dunmore" in text_of(
        browser.get(f"{BASE}/catalogue?trust=dunmore").text
    )


def test_a_hub_without_catalogues_says_so(hub) -> None:
    assert "No Trust has published a catalogue yet" in text_of(hub.browser("ada").get(f"{BASE}/catalogue").text)


def test_who_may_look(shown) -> None:
    people.add_person(
        shown.office.database, "guest", display_name="Guest", organisation="Elsewhere", roles=(), by="olga"
    )
    for name in ("bea", "sam", "rufus", "olga"):
        assert shown.browser(name).get(f"{BASE}/catalogue").status_code == 200
    refused = shown.browser("guest").get(f"{BASE}/catalogue")
    assert refused.status_code == 403
    assert "data.browse_catalogue" in refused.text
    assert shown.browser("bea").get(f"{BASE}/projects/cytology/catalogue").status_code == 404
    assert shown.client().get(f"{BASE}/catalogue").status_code == 302


def test_it_is_linked_from_the_menu_and_the_project(shown) -> None:
    html = shown.browser("ada").get(f"{BASE}/projects/cytology").text
    assert f'href="{BASE}/catalogue"' in html
    assert f'href="{BASE}/projects/cytology/catalogue"' in html


def test_the_api_hands_the_numbers_to_the_projects_notebooks(shown) -> None:
    told = shown.client("ada", "cytology").get(f"{BASE}/api/projects/cytology/catalogue").json()
    assert told[0]["holdings"]["concepts"][0] == {"concept_id": RADIUS, "persons": 1235}
    assert told[1]["holdings"] is None
