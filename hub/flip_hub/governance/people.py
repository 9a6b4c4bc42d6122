"""People: who they are, their organisation and their roles. JupyterHub signs them in; this is what governance knows."""

from __future__ import annotations

from sqlalchemy import select

from flip_hub.database import Database, Entry, Person
from flip_hub.errors import InvalidError, MissingError
from flip_hub.governance.requirements import ROLES


def add_person(
    database: Database, name: str, *, display_name: str, organisation: str, roles: tuple[str, ...], by: str
) -> None:
    """Register someone, or change what is known of them.

    Args:
        database: the hub's.
        name: JupyterHub's name for them.
        display_name: how others see them.
        organisation: conflicts of interest go by it.
        roles: out of :data:`ROLES`.
        by: who registers them.

    Raises:
        InvalidError: a role that there is not, or an empty name or organisation.
    """
    if unknown := sorted(set(roles) - set(ROLES)):
        raise InvalidError(f"There is no role {', '.join(unknown)}.", f"Choose out of: {', '.join(ROLES)}.")
    if not name.strip() or not organisation.strip():
        raise InvalidError("A person needs a name and an organisation.", "Give both.")
    details = {"organisation": organisation, "roles": sorted(set(roles))}
    with database.write(Entry(by, "person.registered", f"person/{name}", details)) as session:
        person = session.get(Person, name)
        if person is None:
            person = Person(name=name)
            session.add(person)
        person.display_name = display_name
        person.organisation = organisation
        person.roles = sorted(set(roles))
        person.active = True


def close_account(database: Database, name: str, *, by: str) -> None:
    """End someone's access at once; what they did stays on record.

    Raises:
        MissingError: nobody of this name is registered.
    """
    with database.write(Entry(by, "person.closed", f"person/{name}")) as session:
        person = session.get(Person, name)
        if person is None:
            raise MissingError(f"Nobody is registered as {name}.", "See: flip-hub people list")
        person.active = False


def people(database: Database) -> list[Person]:
    """Everyone registered, by name."""
    with database.read() as session:
        return list(session.scalars(select(Person).order_by(Person.name)))
