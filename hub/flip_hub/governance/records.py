"""Records of people: handed in by the person, verified or refused by somebody else, and good from then to their end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from flip_sdk.contract.people import DecidePersonRecord, NewPersonRecord, PersonRecordView, PersonStanding
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, selectinload

from flip_hub.database import Database, Entry, Person, PersonRecord, now
from flip_hub.errors import ConflictError, InvalidError, MissingError
from flip_hub.governance import requirements
from flip_hub.governance.access import HUB
from flip_hub.governance.office import Office
from flip_hub.policy import Object, Subject

PAGE = 100
"""How many people a page lists."""
WAITING = 20
"""How many records of one person may wait for a verifier."""
_STATES = {"verify": "verified", "refuse": "refused"}
_EVENTS = {"verify": "person.record_verified", "refuse": "person.record_refused"}


def submit(office: Office, subject: Subject, wanted: NewPersonRecord) -> PersonRecordView:
    """Hand in a record of one's own; somebody else verifies it.

    Raises:
        DeniedError: from a workspace, or the account is closed.
        InvalidError: no such kind, days that cannot be, or too many wait already.
    """
    office.policies.authorise(subject, "submit_record", Object(person=subject.name))
    check(wanted)
    entry = Entry(subject.name, "person.record_submitted", f"person/{subject.name}", _details(wanted))
    with office.database.write(entry) as session:
        person = session.get_one(Person, subject.name)
        if sum(record.state == "waiting" for record in person.records) >= WAITING:
            raise InvalidError(f"{WAITING} records of yours wait already.", "Wait until they are verified.")
        row = _row(wanted, subject.name, subject.name)
        person.records.append(row)
        session.flush()
        return view(row)


def decide(office: Office, subject: Subject, name: str, record_id: int, wanted: DecidePersonRecord) -> PersonRecordView:
    """Verify a record, or refuse it; one that was verified can be refused later, which ends it at once.

    Raises:
        DeniedError: one's own, or not a verifier.
        MissingError: this person has no such record.
        ConflictError: that was decided already.
        InvalidError: a refusal without words.
    """
    office.policies.authorise(subject, "verify_record", Object(person=name))
    words = wanted.words.strip()
    if wanted.decision == "refuse" and len(words) < 10:
        raise InvalidError("A refusal needs words.", "Say what is wrong with the record: the person reads it.")
    entry = Entry(subject.name, _EVENTS[wanted.decision], f"person/{name}")
    with office.database.write(entry) as session:
        row = session.get(PersonRecord, record_id)
        if row is None or row.person != name:
            raise MissingError(f"{name} has no such record.", "See their page.")
        state = _STATES[wanted.decision]
        if row.state == state or (row.state == "refused" and state == "verified"):
            raise ConflictError(f"This record is {row.state} already.", "The person hands in another one.")
        row.state, row.decided_by, row.decided_at, row.words = state, subject.name, now(), words
        entry.details.update(record=record_id, kind=row.kind, reference=row.reference, words=words)
        entry.details["expires_at"] = row.expires_at.isoformat()
        return view(row)


def put(database: Database, name: str, *wanted: NewPersonRecord, by: str) -> None:
    """Put records down as verified, at the hub's own machine: how the first verifiers come to have theirs.

    Raises:
        MissingError: nobody of this name is registered.
        InvalidError: no such kind, days that cannot be, or one's own.
    """
    for one in wanted:
        check(one)
    if by == name:
        raise InvalidError("Nobody verifies a record of their own.", "Let another operator do it: --by.")
    entry = Entry(by, "person.record_verified", f"person/{name}", {"records": [_details(one) for one in wanted]})
    with database.write(entry) as session:
        person = session.get(Person, name)
        if person is None:
            raise MissingError(f"Nobody is registered as {name}.", "See: flip-hub people list")
        for one in wanted:
            row = _row(one, name, by)
            row.state, row.decided_by, row.decided_at = "verified", by, now()
            person.records.append(row)


def standing(office: Office, subject: Subject, name: str) -> PersonStanding:
    """One person: what their roles need, and everything that they handed in.

    Raises:
        DeniedError: somebody else's, and not a verifier.
        MissingError: nobody of this name is registered.
    """
    office.policies.authorise(subject, "view_records", Object(person=name))
    with office.database.read() as session:
        person = session.get(Person, name)
        if person is None:
            raise MissingError(f"Nobody is registered as {name}.", "See the list of people.")
        return _standing(person, now(), full=True)


def everybody(office: Office, subject: Subject, find: str = "", after: str = "") -> list[PersonStanding]:
    """People by name, :data:`PAGE` at a time, and how their records stand.

    Args:
        office: governance.
        subject: who asks.
        find: part of a name, or of an organisation.
        after: the name after which the page begins.

    Raises:
        DeniedError: neither a governance reviewer nor an operator.
    """
    office.policies.authorise(subject, "view_people", HUB)
    names = (Person.name, Person.display_name, Person.organisation)
    chosen = select(Person).where(or_(*(name.icontains(find, autoescape=True) for name in names)), Person.name > after)
    with office.database.read() as session:
        return _listed(session, chosen.limit(PAGE))


def listed(database: Database) -> list[PersonStanding]:
    """Everybody registered, by name, and how their records stand."""
    with database.read() as session:
        return _listed(session, select(Person))


def waiting(office: Office, subject: Subject) -> list[tuple[PersonRecordView, str, str]]:
    """The oldest records that this person may verify: each with whose it is, and how they are shown.

    Raises:
        DeniedError: neither a governance reviewer nor an operator.
    """
    office.policies.authorise(subject, "view_people", HUB)
    chosen = (
        select(PersonRecord, Person.display_name)
        .join(Person, Person.name == PersonRecord.person)
        .where(PersonRecord.state == "waiting", PersonRecord.person != subject.name)
        .order_by(PersonRecord.record_id)
        .limit(PAGE)
    )
    with office.database.read() as session:
        return [(view(row), row.person, shown) for row, shown in session.execute(chosen)]


def check(wanted: NewPersonRecord) -> None:
    """Raise where a record cannot be taken.

    Raises:
        InvalidError: no such kind, or days that cannot be.
    """
    kind = requirements.requirements().kinds.get(wanted.kind)
    if kind is None:
        known = ", ".join(requirements.requirements().kinds)
        raise InvalidError(f"There is no kind of record {wanted.kind}.", f"Choose out of: {known}.")
    today = now().date()
    if wanted.issued_on > today:
        raise InvalidError("This record begins in the future.", "Hand it in when it is good.")
    if wanted.expires_on < today:
        raise InvalidError("This record has expired.", "Hand in one that is good today.")
    if wanted.expires_on - wanted.issued_on > timedelta(days=kind.longest_days):
        longest = wanted.issued_on + timedelta(days=kind.longest_days)
        raise InvalidError(
            f"A record of this kind is good for {kind.longest_days} days at most.",
            f"Its last day is {longest:%-d %B %Y} at the latest.",
        )


def view(row: PersonRecord) -> PersonRecordView:
    """A record, as the person and the verifiers see it."""
    known = requirements.requirements().kinds.get(row.kind)
    return PersonRecordView.model_validate(
        {
            "record_id": row.record_id,
            "kind": row.kind,
            "title": known.title if known else row.kind,
            "reference": row.reference,
            "evidence": row.evidence or None,
            "issued_on": row.issued_at.date(),
            "expires_on": row.expires_at.date() - timedelta(days=1),
            "state": row.state,
            "submitted_by": row.submitted_by,
            "submitted_at": row.submitted_at,
            "decided_by": row.decided_by,
            "decided_at": row.decided_at,
            "words": row.words,
        }
    )


def _listed(session: Session, chosen: Select[Person]) -> list[PersonStanding]:
    moment = now()
    rows = session.scalars(chosen.options(selectinload(Person.records)).order_by(Person.name))
    return [_standing(person, moment, full=False) for person in rows]


def _standing(person: Person, moment: datetime, *, full: bool) -> PersonStanding:
    due = person.records_due_at
    shown = [record for record in person.records if full or record.state == "waiting"]
    return PersonStanding(
        name=person.name,
        display_name=person.display_name,
        organisation=person.organisation,
        roles=tuple(person.roles),
        active=person.active,
        lapsed=tuple(sorted(requirements.lapsed(person, moment))),
        due_at=due if due is not None and moment < due else None,
        needed=tuple(requirements.needed(person, moment)),
        records=tuple(view(record) for record in reversed(shown)),
    )


def _row(wanted: NewPersonRecord, name: str, by: str) -> PersonRecord:
    return PersonRecord(
        person=name,
        kind=wanted.kind,
        reference=wanted.reference.strip(),
        evidence=wanted.evidence or "",
        issued_at=_midnight(wanted.issued_on),
        # its last day counts whole
        expires_at=_midnight(wanted.expires_on + timedelta(days=1)),
        state="waiting",
        submitted_by=by,
        submitted_at=now(),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _details(wanted: NewPersonRecord) -> dict[str, object]:
    return wanted.model_dump(mode="json", exclude_none=True)
