"""Profiles: what a workspace may use, read from ``policies/workspaces``. Which project has which is governance's."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from flip_sdk.contract.records import Line, Name, Record
from flip_sdk.errors import RecordError
from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError, InvalidError

_FILE = "profiles.yaml"
_INSTALLED = Path(__file__).parents[1] / "workspaces"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "workspaces"


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

    @model_validator(mode="after")
    def _names_fit(self) -> Profiles:
        names = [profile.name for profile in self.profiles]
        if len(set(names)) < len(names):
            raise ValueError("two profiles have the same name")
        if self.default not in names:
            raise ValueError(f"the default, {self.default}, is not among the profiles")
        if wrong := [one.name for one in self.profiles if bool(one.gpus) != (one.gpu_hours > 0)]:
            raise ValueError(f"gpus and gpu_hours go together: {', '.join(wrong)}")
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
