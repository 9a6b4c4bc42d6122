"""What every part of governance works with: the hub's configuration, database, blobs and policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy.orm import Session, joinedload

from flip_hub.config import HubConfig
from flip_hub.database import Database, Person, now
from flip_hub.errors import DeniedError
from flip_hub.governance.requirements import lapsed, warnings
from flip_hub.models import BlobStore
from flip_hub.policy import Policies, Subject, hub_policies


@dataclass(frozen=True)
class Office:
    """One hub's governance, with everything it needs."""

    config: HubConfig
    database: Database
    blobs: BlobStore
    policies: Policies

    @classmethod
    def of(cls, config: HubConfig) -> Office:
        """The governance of a hub; one per configuration and process."""
        return _office(config)


@lru_cache(maxsize=8)
def _office(config: HubConfig) -> Office:
    return Office(config, Database.of(config), BlobStore(config.blobs), hub_policies())


def identify(session: Session, name: str, workspace: str | None = None) -> Subject:
    """The person behind a sign-in, as the policies see them.

    Raises:
        DeniedError: JupyterHub knows them, governance does not.
    """
    # one query for all: this runs at every request
    person = session.get(Person, name, options=[joinedload(Person.records), joinedload(Person.emergencies)])
    if person is None:
        raise DeniedError(f"{name} is not registered at this hub.", "Ask the operator to register you.", "people.known")
    moment = now()
    return Subject(
        person.name,
        person.organisation,
        frozenset(person.roles),
        person.active,
        workspace or "",
        lapsed=lapsed(person, moment),
        warnings=tuple(warnings(person, moment)),
        emergencies=frozenset() if workspace else _reading(person, moment),
    )


def _reading(person: Person, moment: datetime) -> frozenset[tuple[str, str]]:
    return frozenset(
        (row.target, row.emergency_id) for row in person.emergencies if row.scope == "read" and moment < row.expires_at
    )
