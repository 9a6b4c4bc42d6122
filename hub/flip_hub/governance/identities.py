"""From what a provider proved of somebody to the person here: bound once, with the roles that their groups give."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Database, Entry, Identity, Person, now
from flip_hub.errors import MissingError, SignInError
from flip_hub.oidc import Proven, Rules

PROVIDER = "organisation sign-in"
"""Who changes a person's roles in the audit log, where their groups did."""


def take(database: Database, proven: Proven, rules: Rules) -> None:
    """Let the person in, with the roles and the organisation that their provider gives them now.

    Raises:
        SignInError: not registered, closed, or the name belongs to somebody else at the provider.
    """
    with database.read() as session:
        person = _person(session, proven, rules)
        bound = session.get(Identity, proven.name) is not None
        wanted = _wanted(person, proven, rules)
        if person is not None and bound and (sorted(person.roles), person.organisation) == wanted:
            return
    roles, organisation = wanted
    details = {"organisation": organisation, "roles": roles, "issuer": proven.issuer}
    event = "person.registered" if person is None else "person.read_from_provider"
    with database.write(Entry(PROVIDER, event, f"person/{proven.name}", details)) as session:
        person = _person(session, proven, rules)
        if person is None:
            person = Person(name=proven.name, display_name=proven.display_name, active=True)
            session.add(person)
        person.roles, person.organisation = roles, organisation
        if session.get(Identity, proven.name) is None:
            session.flush()
            session.add(Identity(person=proven.name, issuer=proven.issuer, subject=proven.subject, bound_at=now()))


def unbind(database: Database, name: str, *, by: str) -> None:
    """Forget which subject a person is: at their next sign-in they are bound anew.

    Raises:
        MissingError: nobody of this name has signed in by a provider.
    """
    with database.write(Entry(by, "person.unbound", f"person/{name}")) as session:
        row = session.get(Identity, name)
        if row is None:
            raise MissingError(f"{name} is not bound to a provider.", "See: flip-hub people list")
        session.delete(row)


def _person(session: Session, proven: Proven, rules: Rules) -> Person | None:
    """The person, checked; None where they are registered now."""
    person = session.get(Person, proven.name)
    mine = session.get(Identity, proven.name)
    known = session.scalars(
        select(Identity).where(Identity.issuer == proven.issuer, Identity.subject == proven.subject)
    ).one_or_none()
    ask = "Ask the hub's operator."
    if known is not None and known.person != proven.name:
        raise SignInError(f"You are {known.person} at this hub, and {proven.name} at your provider now.", ask)
    if mine is not None and known is None:
        raise SignInError(f"The name {proven.name} belongs to somebody else at this hub.", ask)
    if person is not None and not person.active:
        raise SignInError("Your account at this hub is closed.", "Ask the operator to open it again.")
    if person is None and not (rules.config.oidc_registers and proven.roles and proven.organisation):
        raise SignInError(
            f"You are signed in at your organisation as {proven.name}, but you are not registered at this hub.",
            "Ask the hub's operator to register this name, with your organisation and your role.",
        )
    return person


def _wanted(person: Person | None, proven: Proven, rules: Rules) -> tuple[list[str], str]:
    """Roles and organisation as they are to be: what groups do not give stays the operator's."""
    own = set() if person is None else set(person.roles) - rules.given
    organisation = proven.organisation or ("" if person is None else person.organisation)
    return sorted(own | proven.roles), organisation
