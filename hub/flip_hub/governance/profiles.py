"""Profiles: what a workspace may use, read from ``policies/workspaces``. Which project has which is governance's."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path

import yaml
from flip_sdk.contract.records import Line, Name, Record
from flip_sdk.errors import RecordError
from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from flip_hub.config import HubConfig
from flip_hub.database import Person
from flip_hub.errors import ConfigError, InvalidError
from flip_hub.governance.requirements import is_good, requirements
from flip_hub.policy import same_organisation

_FILE = "profiles.yaml"
_INSTALLED = Path(__file__).parents[1] / "workspaces"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "workspaces"


class Group(Record):
    """Persons for whom a profile may be kept: those who are named, or of an organisation, and have shown what is asked.

    Attributes:
        people: names of accounts.
        organisations: whose people belong to it; without these and ``people`` everybody does who has the records.
        records: kinds of records (``policies/people/requirements.yaml``) that have to be verified and in force.
    """

    name: Name
    title: Line
    people: tuple[Line, ...] = ()
    organisations: tuple[Line, ...] = ()
    records: tuple[Line, ...] = ()

    def includes(self, person: Person, moment: datetime) -> bool:
        """Whether somebody belongs to it at this moment."""
        where = {same_organisation(one) for one in self.organisations}
        is_one = person.name in self.people or same_organisation(person.organisation) in where
        shown = {one.kind for one in person.records if is_good(one, moment)}
        return (is_one or not (self.people or self.organisations)) and shown >= set(self.records)


class Profile(Record):
    """What one workspace may use.

    Attributes:
        cpu: cores.
        memory_gb: gigabytes (10^9 bytes).
        gpus: graphics cards, or slices of one.
        gpu_hours: what an hour counts against a project's quota.
        resource: how Kubernetes calls the card or the slice.
        devices: which ones Docker gives; empty: as many as ``gpus``.
        everybody: whether every approved project has it.
        groups: of persons who alone choose it, in a project that has it; empty: everybody of the project.
    """

    name: Name
    title: Line
    cpu: PositiveFloat
    memory_gb: PositiveFloat
    gpus: NonNegativeInt = 0
    gpu_hours: float = Field(default=0.0, ge=0)
    resource: Line = "nvidia.com/gpu"
    devices: tuple[Line, ...] = ()
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[dict[str, str], ...] = ()
    everybody: bool = False
    groups: tuple[Name, ...] = ()

    @property
    def memory(self) -> int:
        """Its memory in bytes."""
        return int(self.memory_gb * 10**9)

    @property
    def words(self) -> str:
        """Its limits, as a person reads them."""
        cores = f"{self.cpu:g} core{'' if self.cpu == 1 else 's'}"
        cards = f", {self.gpus} × {self.resource.rpartition('/')[2]}" if self.gpus else ""
        return f"{cores}, {self.memory_gb:g} GB of memory{cards}"


class Profiles(Record):
    """All profiles of a hub; one of them is what a workspace has without a choice."""

    schema_version: int = 1
    default: Name
    profiles: tuple[Profile, ...]
    groups: tuple[Group, ...] = ()

    @model_validator(mode="after")
    def _names_fit(self) -> Profiles:
        names = [profile.name for profile in self.profiles]
        if len(set(names)) < len(names):
            raise ValueError("two profiles have the same name")
        if self.default not in names:
            raise ValueError(f"the default, {self.default}, is not among the profiles")
        if wrong := [one.name for one in self.profiles if bool(one.gpus) != (one.gpu_hours > 0)]:
            raise ValueError(f"gpus and gpu_hours go together: {', '.join(wrong)}")
        strange = {one for profile in self.profiles for one in profile.groups} - {one.name for one in self.groups}
        if strange:
            raise ValueError(f"there is no group {', '.join(sorted(strange))}")
        if self.named(self.default).groups:
            raise ValueError(f"the default, {self.default}, is everybody's and of no group")
        if kinds := sorted({one for group in self.groups for one in group.records} - set(requirements().kinds)):
            raise ValueError(f"there is no kind of record {', '.join(kinds)}")
        return self

    def named(self, name: str) -> Profile:
        """The profile of this name.

        Raises:
            InvalidError: there is none.
        """
        for profile in self.profiles:
            if profile.name == name:
                return profile
        names = ", ".join(profile.name for profile in self.profiles)
        raise InvalidError(f"This hub has no profile {name!r}.", f"Choose out of: {names}.")

    def whom(self, profile: Profile) -> tuple[Group, ...]:
        """Groups that alone choose a profile; none: everybody whose project has it."""
        return tuple(one for one in self.groups if one.name in profile.groups)

    def may_choose(self, profile: Profile, person: Person, moment: datetime) -> bool:
        """Whether somebody chooses it where their project has it."""
        groups = self.whom(profile)
        return not groups or any(one.includes(person, moment) for one in groups)

    def given(self, names: frozenset[str]) -> tuple[Profile, ...]:
        """What a project with these has: the default comes first."""
        free = {self.default, *(one.name for one in self.profiles if one.everybody)}
        found = [one for one in self.profiles if one.name in names | free]
        return tuple(sorted(found, key=lambda one: one.name != self.default))


def profiles(config: HubConfig) -> Profiles:
    """A hub's profiles.

    Raises:
        ConfigError: its file cannot be read, or says what profiles cannot say.
    """
    shipped = (_INSTALLED if _INSTALLED.is_dir() else _REPOSITORY) / _FILE
    path = config.home / config.workspace_profiles if config.workspace_profiles else shipped
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> Profiles:  # noqa: ARG001 - a file that was changed is read again
    try:
        return Profiles.parse(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecordError) as error:
        raise ConfigError(f"{path} has no profiles: {error}", "See policies/workspaces/profiles.yaml.") from error
