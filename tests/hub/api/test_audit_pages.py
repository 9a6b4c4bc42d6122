"""The audit log's pages: who reads which part, what is found, and that what is downloaded proves itself."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path

import flip_hub
import pytest
from flip_hub.audit_words import WORDS, in_words
from flip_hub.database import Entry
from flip_hub.governance import witness
from flip_sdk.contract import states
from flip_sdk.contract.log_entries import hash_of
from flip_sdk.contract.logs import InclusionProof
from flip_sdk.contract.states import StateMachine

from tests.hub.conftest import PAGES

PAGE = f"{PAGES}/audit"


def test_who_reads_it(hub) -> None:
    hub.ready()
    for name, whole, own in (("rufus", 200, 200), ("olga", 200, 200), ("ada", 403, 200), ("bea", 403, 403)):
        browser = hub.browser(name)
        assert browser.get(PAGE).status_code == whole, name
        assert browser.get(f"{PAGE}/download.json").status_code == whole, name
        answer = browser.get(f"{PAGES}/projects/cytology/audit").status_code
        assert answer == own or (own == 403 and answer == 404), name
    assert hub.client().get(PAGE).status_code == 302


def test_a_team_reads_its_own_part_alone(hub) -> None:
    hub.ready()
    hub.draft("another")
    ours = hub.browser("ada").get(f"{PAGES}/projects/cytology/audit/download.csv").text
    assert {row["subject"] for row in csv.DictReader(io.StringIO(ours))} == {"project/cytology"}


def _found(hub, **asked) -> list[dict]:
    answer = hub.browser("rufus").get(f"{PAGE}/download.json", params=asked)
    assert answer.status_code == 200
    return [one["entry"] for one in answer.json()]


def test_what_is_found(hub) -> None:
    hub.ready()
    assert {one["actor"] for one in _found(hub, actor="ada")} == {"ada"}
    assert [one["event"] for one in _found(hub, event="project.approved")] == ["project.approved"]
    assert {one["subject"] for one in _found(hub, subject="person/")} > {"person/ada"}
    assert _found(hub, subject="project/cytolog") == []
    assert _found(hub, last="2020-01-01") == []
    assert len(_found(hub, first="2020-01-01")) == len(hub.events())
    assert _found(hub, text="%") == []
    assert hub.browser("rufus").get(PAGE, params={"first": "yesterday"}).status_code == 422


def test_pages_go_back_to_the_first_entry(hub) -> None:
    for number in range(120):
        with hub.office.database.write(Entry("ada", "project.edited", f"project/p{number}")):
            pass
    browser, address, seen = hub.browser("rufus"), f"{PAGE}?", 0
    while address:
        page = browser.get(address).text
        seen += page.count('<tr role="row" class="nhsuk-table__row">')
        before = page.partition("before=")[2].partition('"')[0]
        address = f"{PAGE}?before={before}" if before.isdigit() else ""
    assert seen == len(hub.events())


def test_what_is_downloaded_proves_itself(hub) -> None:
    hub.ready()
    for number in range(600):
        with hub.office.database.write(Entry("=cmd", "project.edited", f"project/p{number}")):
            pass
    witness.keep_up(hub.office.config, hub.office.database)
    found = hub.browser("rufus").get(f"{PAGE}/download.json").json()
    assert len(found) == len(hub.events())
    for one in found:
        proof, entry = InclusionProof.parse(one["proof"]), one["entry"]
        assert proof.holds()
        assert proof.entry == entry["hash"] == hash_of({k: v for k, v in entry.items() if k != "hash"})
    assert len({one["proof"]["root"] for one in found}) == 1
    rows = csv.DictReader(io.StringIO(hub.browser("rufus").get(f"{PAGE}/download.csv?actor==cmd").text))
    assert {row["actor"] for row in rows} == {"'=cmd"}


def test_every_event_of_the_code_has_words() -> None:
    known = {
        row.event
        for machine in vars(states).values()
        if isinstance(machine, StateMachine) and machine.name != "task"
        for row in machine.transitions
    }
    for path in Path(flip_hub.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Entry":
                known |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant)}
    assert len(known) > 50
    assert known - set(WORDS) == set()


@pytest.mark.parametrize("event", ["elsewhere.some_thing", ""])
def test_an_event_of_another_release_is_readable(event: str) -> None:
    assert "_" not in in_words(event)
