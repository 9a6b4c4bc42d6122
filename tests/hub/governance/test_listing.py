"""Long lists: the database's filter never hides what the policies allow, and shows nothing that they deny."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from flip_hub.database import Project, Review, Routine, now
from flip_hub.governance import listing, projects
from flip_hub.governance.access import object_of
from flip_hub.governance.reviews import refusal
from flip_hub.governance.when import state_of
from flip_sdk.contract.states import ProjectState
from sqlalchemy import select

from tests.hub.conftest import PEOPLE

SEEDS = (1, 2)
DATABASES = ("sqlite",)


def _many(hub, seed: int, count: int = 70) -> None:
    """Projects in every state, of everybody, with teams and reviews by chance."""
    chance = random.Random(seed)
    organisations = [organisation for organisation, _ in PEOPLE.values()]
    with hub.office.database.write(Routine("a test fills the hub")) as session:
        for number in range(count):
            version = chance.randrange(3)
            state = chance.choice(list(ProjectState)) if version else ProjectState.DRAFT
            project = Project(
                project_id=f"p-{number}",
                state=state,
                application=hub.application(
                    title=f"Study {number} of 100% of {chance.choice(('lungs', 'Größen', 'eyes'))}",
                    team=tuple(chance.sample([*PEOPLE, "a stranger"], chance.randrange(3))),
                    organisation=chance.choice(organisations),
                ),
                owner=chance.choice(list(PEOPLE)),
                version=version,
                created_at=now() - timedelta(hours=chance.randrange(9)),
                expires_at=now() + timedelta(days=chance.choice((-1, 5, 90))),
                reviews=[],
            )
            session.add(project)
            for reviewer in chance.sample(("rufus", "rose", "mina", "nora"), chance.randrange(3)):
                decision = chance.choice(("approve", "recused", "request_changes"))
                made = {"organisation": PEOPLE[reviewer][0], "decision": decision, "comment": "", "decided_at": now()}
                project.reviews.append(Review(version=chance.randint(0, version), reviewer=reviewer, **made))


def _ids(rows: list[Project]) -> list[str]:
    return [row.project_id for row in rows]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_databases_filter_is_what_the_policies_say(hub, seed: int) -> None:
    _many(hub, seed)
    with hub.office.database.read() as session:
        everything = session.scalars(select(Project)).all()
        for name in PEOPLE:
            for subject in (hub.who(name), hub.who(name, "p-3"), replace(hub.who(name), active=False)):
                allowed = {
                    row.project_id
                    for row in everything
                    if hub.office.policies.decide(subject, "view_project", object_of(session, row)).allowed
                }
                chosen = select(Project.project_id).where(listing.visible_to(subject))
                assert set(session.scalars(chosen)) == allowed
                assert set(_ids(listing.all_of(hub.office, session, subject))) == allowed


@pytest.mark.parametrize("seed", SEEDS)
def test_what_waits_for_a_reviewer_is_what_they_may_decide_on(hub, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _many(hub, seed)
    monkeypatch.setattr(listing, "WAITING", 1000)
    with hub.office.database.read() as session:
        everything = session.scalars(select(Project)).all()
        for name in PEOPLE:
            subject = hub.who(name)
            may = {row.project_id for row in everything if not refusal(hub.office, session, subject, row)}
            assert set(_ids(listing.waiting(hub.office, session, subject))) == may


def test_pages_hold_every_project_once_and_states_are_as_shown(hub) -> None:
    _many(hub, 3)
    with hub.office.database.read() as session:
        subject, office = hub.who("olga"), hub.office
        whole = listing.all_of(office, session, subject)
        pages = [listing.page_of(office, session, subject, number=n) for n in range(1, 1 + -(-len(whole) // 25))]
        assert [name for page in pages for name in _ids(page.projects)] == _ids(whole)
        assert {page.total for page in pages} == {len(whole)}
        assert listing.page_of(office, session, subject, number=99).number == pages[-1].number
        for state in ProjectState:
            found = listing.page_of(office, session, subject, state=state).projects
            assert _ids(found) == [row.project_id for row in whole if state_of(row) is state][:25]


@pytest.mark.parametrize(("find", "title"), [("GRÖSSEN study", "Größen"), ("100% eyes", "eyes")])
def test_a_search_finds_all_its_words_in_any_case(hub, find: str, title: str) -> None:
    _many(hub, 4)
    with hub.office.database.read() as session:
        subject = hub.who("olga")
        found = listing.page_of(hub.office, session, subject, find=find)
        assert found.total == sum(
            title in row.application.title for row in listing.all_of(hub.office, session, subject)
        )
        assert found.total
        assert listing.page_of(hub.office, session, subject, find="1_0%").total == 0


def test_who_joins_a_team_finds_its_project_and_who_leaves_does_not(hub) -> None:
    hub.draft(team=("alan",))
    with hub.office.database.read() as session:
        assert _ids(listing.all_of(hub.office, session, hub.who("alan"))) == ["cytology"]
    projects.edit(hub.office, hub.who("ada"), "cytology", hub.application(title="Renamed", team=("bea",)))
    with hub.office.database.read() as session:
        assert listing.all_of(hub.office, session, hub.who("alan")) == []
        assert listing.page_of(hub.office, session, hub.who("bea"), find="renamed").total == 1


def test_the_first_page_turns_and_is_searched(hub) -> None:
    _many(hub, 5)
    browser = hub.browser("rufus")
    second = browser.get("/services/flip/?page=2").text
    assert "page 2 of" in second
    assert "Waiting for your decision" not in second
    assert "No project that you can see matches" in browser.get("/services/flip/?find=nothing-like-it").text
    assert browser.get("/services/flip/?state=nonsense&page=-4").status_code == 200
