"""Records of people: handed in, verified by somebody else, and what they open ends with them, at that moment."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flip_hub.database import Person, PersonRecord, Routine, now
from flip_hub.errors import ConfigError, ConflictError, DeniedError, InvalidError, MissingError
from flip_hub.governance import intake, people, records, requirements, workspaces
from flip_hub.testing import show_records
from flip_sdk.contract.people import DecidePersonRecord, NewPersonRecord
from sqlalchemy import event, select

VERIFY = DecidePersonRecord(decision="verify")


def _new(kind: str = "information_governance", days: int = 300, **changes) -> NewPersonRecord:
    today = now().date()
    content = {"kind": kind, "reference": "IG-2026-77", "issued_on": today, "expires_on": today + timedelta(days=days)}
    return NewPersonRecord.model_validate(content | changes)


def _ends(hub, name: str, kind: str, at: datetime) -> None:
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        chosen = select(PersonRecord).where(PersonRecord.person == name, PersonRecord.kind == kind)
        for row in session.scalars(chosen):
            row.expires_at = at


def _refused(hub, name: str) -> str:
    with pytest.raises(DeniedError) as caught:
        intake.submit_job(hub.office, hub.who(name), "cytology", hub.count(key=name))
    return caught.value.policy


def test_the_end_of_a_record_takes_access_away_at_that_moment(hub) -> None:
    hub.ready()
    workspaces.may_open(hub.office.config, "ada", "cytology")
    intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count(key="before"))

    _ends(hub, "ada", "contract", now() - timedelta(microseconds=1))

    assert _refused(hub, "ada") == "people.lapsed_researcher"
    with pytest.raises(DeniedError) as caught:
        workspaces.may_open(hub.office.config, "ada", "cytology")
    assert "record" in caught.value.message
    assert "My records" in caught.value.mend

    made = records.submit(hub.office, hub.who("ada"), _new("contract"))
    assert _refused(hub, "ada") == "people.lapsed_researcher"  # nobody has verified it
    records.decide(hub.office, hub.who("olga"), "ada", made.record_id, VERIFY)
    workspaces.may_open(hub.office.config, "ada", "cytology")


def test_a_reviewer_without_training_decides_nothing(hub) -> None:
    hub.submitted()
    _ends(hub, "rufus", "information_governance", now())
    answer = hub.client("rufus").post(
        "/services/flip/api/projects/cytology/reviews", json={"decision": "approve", "declares": "none"}
    )
    assert answer.status_code == 403
    assert answer.json()["policy"] == "people.lapsed_reviewer"


def test_a_new_role_needs_its_own_records(hub) -> None:
    database = hub.office.database
    people.add_person(database, "new", display_name="New", organisation="E", roles=("researcher",), by="olga")
    assert hub.who("new").lapsed == {"researcher"}
    show_records(database, "new")
    assert hub.who("new").lapsed == frozenset()
    roles = ("researcher", "output checker")
    people.add_person(database, "new", display_name="New", organisation="E", roles=roles, by="olga")
    assert hub.who("new").lapsed == {"output checker"}


def test_who_was_registered_before_has_until_a_day_to_show_theirs(hub) -> None:
    due = now() + timedelta(days=60)
    with hub.office.database.write(Routine("as the migration does")) as session:
        session.add(Person(name="old", display_name="O", organisation="E", roles=["researcher"], records_due_at=due))
    subject = hub.who("old")
    assert subject.lapsed == frozenset()
    assert f"{due:%-d %B %Y}" in subject.warnings[-1]
    with hub.office.database.write(Routine("the day has come")) as session:
        session.get_one(Person, "old").records_due_at = now()
    assert hub.who("old").lapsed == {"researcher"}


@pytest.mark.parametrize(("left", "words"), [(40, ""), (29.5, "in 29 days"), (6.5, "in 6 days"), (0.5, "within a day")])
def test_the_end_is_told_ahead(hub, left: float, words: str) -> None:
    _ends(hub, "ada", "contract", now() + timedelta(days=left))
    told = " ".join(hub.who("ada").warnings)
    assert (words in told) if words else not told
    page = hub.browser("ada").get("/services/flip/").text
    assert ("My records</a></p>" in page) is bool(words)
    shown = hub.browser("olga").get("/services/flip/people?find=ada").text
    assert ("Ends soon" in shown) is bool(words)


def test_nobody_verifies_their_own(hub) -> None:
    made = records.submit(hub.office, hub.who("rufus"), _new())
    with pytest.raises(DeniedError) as caught:
        records.decide(hub.office, hub.who("rufus"), "rufus", made.record_id, VERIFY)
    assert caught.value.policy == "people.verify_own_record"
    with pytest.raises(DeniedError):
        records.decide(hub.office, hub.who("ada"), "rufus", made.record_id, VERIFY)
    with pytest.raises(MissingError):
        records.decide(hub.office, hub.who("olga"), "mina", made.record_id, VERIFY)
    with pytest.raises(InvalidError):
        records.put(hub.office.database, "olga", _new(), by="olga")
    assert hub.events()[-1] == "person.record_submitted"


def test_what_was_verified_by_mistake_is_refused_with_words(hub) -> None:
    hub.ready()
    mine = records.standing(hub.office, hub.who("ada"), "ada").records
    contract = next(record for record in mine if record.kind == "contract")
    with pytest.raises(InvalidError):
        records.decide(hub.office, hub.who("mina"), "ada", contract.record_id, DecidePersonRecord(decision="refuse"))
    refuse = DecidePersonRecord(decision="refuse", words="The university ended this contract in May.")
    records.decide(hub.office, hub.who("mina"), "ada", contract.record_id, refuse)
    assert _refused(hub, "ada") == "people.lapsed_researcher"
    with pytest.raises(ConflictError):
        records.decide(hub.office, hub.who("mina"), "ada", contract.record_id, VERIFY)
    assert "person.record_refused" in hub.events()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "charm"},
        {"issued_on": now().date() + timedelta(days=1)},
        {"issued_on": now().date() - timedelta(days=9), "expires_on": now().date() - timedelta(days=1)},
        {"expires_on": now().date() + timedelta(days=367)},
    ],
)
def test_what_cannot_be_is_not_taken(hub, changes) -> None:
    with pytest.raises(InvalidError) as caught:
        records.submit(hub.office, hub.who("ada"), _new(**changes))
    assert caught.value.mend


def test_a_person_comes_with_their_records_in_one_query(hub) -> None:
    asked: list[str] = []
    database = hub.office.database
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    hub.who("ada")
    assert len([words for words in asked if words.startswith("SELECT")]) == 1


def test_requirements_name_every_role_and_known_kinds_alone() -> None:
    known = requirements.requirements()
    assert set(known.roles) == set(requirements.ROLES)
    good = "kinds: {a: {title: A, hint: B, longest_days: 1}}\nroles: {%s}"
    roles = ", ".join(f"{role}: [a]" for role in requirements.ROLES)
    assert requirements.parse(good % roles).of(["operator"]) == {"a": ("operator",)}
    for wrong in (good % "researcher: [a]", good % roles.replace("operator: [a]", "operator: [b]"), "kinds: 3"):
        with pytest.raises(ConfigError):
            requirements.parse(wrong)
