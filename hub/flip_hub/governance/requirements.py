"""What each role needs people to show, and where a person stands on it at a moment: judged anew at each decision."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import yaml
from flip_sdk.contract.people import Needed
from flip_sdk.contract.records import Line, Record
from pydantic import PositiveInt, ValidationError

from flip_hub.database import Person, PersonRecord
from flip_hub.errors import ConfigError

DAYS = (30, 7, 1)
"""How long ahead people are told that a record ends."""
ROLES = ("researcher", "output checker", "governance reviewer", "data steward", "clinician", "operator")
_FILE = "requirements.yaml"
_INSTALLED = Path(__file__).parents[1] / "people"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "people"


class Kind(Record):
    """A kind of record: how it is called, what counts, and for how many days it is good at most."""

    title: Line
    hint: Line
    longest_days: PositiveInt


class Requirements(Record):
    """Kinds of records, and those that each role needs."""

    kinds: dict[str, Kind]
    roles: dict[str, tuple[str, ...]]

    def of(self, roles: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Every kind that some of these roles need, with those roles."""
        held = sorted(roles)
        found = {kind: tuple(role for role in held if kind in self.roles.get(role, ())) for kind in self.kinds}
        return {kind: needing for kind, needing in found.items() if needing}


@cache
def requirements() -> Requirements:
    """Those that come with the hub: inside the installed package, or in the repository beside it.

    Raises:
        ConfigError: the file is not there, or says what requirements cannot say.
    """
    folder = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY
    try:
        return parse((folder / _FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"There are no requirements in {folder}.", "Install flip-hub again.") from error


def parse(text: str) -> Requirements:
    """Requirements out of their YAML.

    Raises:
        ConfigError: it is not YAML, lacks a role, or names a role or a kind that there is not.
    """
    mend = "Correct policies/people/requirements.yaml."
    try:
        found = Requirements.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"The requirements of people cannot be read: {error}", mend) from error
    strange = sorted({kind for kinds in found.roles.values() for kind in kinds} - set(found.kinds))
    if set(found.roles) != set(ROLES) or strange:
        wrong = strange or sorted(set(found.roles) ^ set(ROLES))
        raise ConfigError(f"The requirements of people are wrong about {', '.join(wrong)}.", mend)
    return found


def lapsed(person: Person, moment: datetime) -> frozenset[str]:
    """Roles whose work is taken away at this moment, for want of a record."""
    if person.records_due_at is not None and moment < person.records_due_at:
        return frozenset()
    good = {record.kind for record in person.records if is_good(record, moment)}
    return frozenset(
        role for kind, roles in requirements().of(person.roles).items() if kind not in good for role in roles
    )


def needed(person: Person, moment: datetime) -> list[Needed]:
    """Each kind of record that this person's roles need, and how it stands."""
    return [_needed(person, kind, roles, moment) for kind, roles in requirements().of(person.roles).items()]


def is_good(record: PersonRecord, moment: datetime) -> bool:
    """Whether a record counts at this moment."""
    return record.state == "verified" and record.issued_at <= moment < record.expires_at


def warnings(person: Person, moment: datetime) -> list[str]:
    """What this person is told of records that do not count yet or any more, or end within 30 days (:data:`DAYS`)."""
    told = [_words(one, moment) for one in needed(person, moment) if one.state != "held"]
    if told and person.records_due_at is not None and moment < person.records_due_at:
        told.append(f"Nothing is taken away before {person.records_due_at:%-d %B %Y}.")
    return told


def _needed(person: Person, kind: str, roles: tuple[str, ...], moment: datetime) -> Needed:
    mine = [record for record in person.records if record.kind == kind]
    ends = max((record.expires_at for record in mine if is_good(record, moment)), default=None)
    state = "held"
    if ends is None:
        past = any(record.state == "verified" and record.expires_at <= moment for record in mine)
        waits = any(record.state == "waiting" for record in mine)
        state = "waiting" if waits else "expired" if past else "missing"
    elif ends - moment <= timedelta(days=max(DAYS)):
        state = "ending"
    title = requirements().kinds[kind].title
    return Needed.model_validate({"kind": kind, "title": title, "roles": roles, "state": state, "ends_at": ends})


def _words(one: Needed, moment: datetime) -> str:
    if one.state == "missing":
        return f"{one.title}: no record is verified."
    if one.state == "waiting":
        return f"{one.title}: the record waits to be verified."
    if one.ends_at is None:
        return f"{one.title}: the record has expired."
    days = (one.ends_at - moment).days
    when = "within a day" if days < 1 else f"in {days} days" if days > 1 else "in a day"
    return f"{one.title}: the record ends {when}."
