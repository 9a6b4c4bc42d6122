"""Everything shows itself alike: accessible, escaped, small, the same in light and dark."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flip_sdk.frames import frame
from flip_sdk.testing import FakeHub

import flip_sdk as flip
from flip_sdk import looks

HOSTILE = "<script>alert('x')</script>"
VOID = {"br", "img", "hr", "input"}


class Page(HTMLParser):
    """Tags with their attributes; whether all that is opened is closed."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def shown(project: flip.Project, hub: flip.Hub, fake_hub: FakeHub, tmp_path: Path) -> dict[str, Any]:
    project.count(epsilon=0.3)
    job = project.job("job-1")
    with (tmp_path / "table.csv").open("w") as out:
        csv.writer(out).writerows([["sex", "persons"], ["women", 40]])
    (tmp_path / "report.ipynb").write_text('{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    return {
        "hub": hub,
        "offline": flip.offline(),
        "project": project,
        "budget": project.budget(),
        "catalogue": project.catalogue(),
        "cohort": flip.Cohort(flip.has_condition(HOSTILE), flip.age_between(40, 70)),
        "everybody": flip.Cohort(),
        "job": job,
        "result": job.result(),
        "request": project.release(tmp_path / "table.csv", purpose=HOSTILE),
        "dashboard": project.publish(tmp_path / "report.ipynb", "report", jobs=["job-1"]),
        "dashboards": project.dashboards(),
    }


def test_each_of_them_reads_well_everywhere(shown: dict[str, Any]) -> None:
    for name, thing in shown.items():
        html, text = thing._repr_html_(), repr(thing)
        page = Page(html)
        assert page.open == [], name
        assert not page.of("script"), name
        assert len(html) < 30_000, name
        assert " object at 0x" not in text, name
        assert all(one.get("scope") in ("col", "row") for one in page.of("th")), name
        named = page.of("caption") or [one for one in page.of("div") if one.get("aria-label")]
        assert named, f"{name}: nothing says what it is"
        assert "color:#" not in html.replace("border-color", ""), f"{name}: text has the colour of the page around it"


def test_states_are_words_beside_colour() -> None:
    for tone in ("good", "bad", "waiting", "plain"):
        assert ">over</span>" in looks.badge_of("over", tone) or "</span>over</span>" in looks.badge_of("over", tone)


def test_every_piece_escapes_what_it_is_given() -> None:
    made = [
        looks.card(HOSTILE, state=(HOSTILE, "good")),
        looks.said(HOSTILE),
        looks.listed([HOSTILE]),
        looks.facts([(HOSTILE, HOSTILE)]),
        looks.folded(HOSTILE, ""),
        looks.tip(HOSTILE, HOSTILE),
        looks.link(HOSTILE, f"https://x/{HOSTILE}"),
        looks.table([(HOSTILE, False)], [[looks.Cell(HOSTILE, HOSTILE)]]),
    ]
    assert not any(Page(one).of("script") for one in made)


def test_a_link_leads_nowhere_but_to_pages() -> None:
    assert "<a " not in looks.link("here", "javascript:alert(1)")
    assert "<a " in looks.link("here", "/services/dashboards/p/d/")


def test_a_table_of_text_is_as_wide_as_it_has_to_be() -> None:
    rows = [{"name": "short", "words": "long " * 60, "n": 3}]
    lines = repr(frame(rows, {"name": str, "words": str, "n": int}, "A caption")).splitlines()
    assert lines[0] == "A caption"
    assert max(map(len, lines)) <= looks.WIDTH
    assert "".join(lines).count("long") == 60


def test_a_bar_is_a_share_of_another_column() -> None:
    made = frame([{"spent": 2.0, "cap": 8.0}], {"spent": float, "cap": float}, "x", {"spent": "cap"})
    assert "25.0%" in made._repr_html_()
