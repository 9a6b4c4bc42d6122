"""The list of approved packages, read from the hub's home, else from ``policies/workspaces``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from flip_sdk.contract.records import Line, Record
from flip_sdk.errors import RecordError
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import Field, field_validator

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError

FILE = "packages.yaml"
_INSTALLED = Path(__file__).parents[1] / "workspaces"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "workspaces"


class Package(Record):
    """One that may be installed.

    Attributes:
        name: as the index calls it.
        versions: which (PEP 440); empty: any.
        why: what it is for, and who asked.
    """

    name: Line = Field(min_length=1)
    versions: Line = ""
    why: Line = Field(min_length=1)

    @field_validator("versions")
    @classmethod
    def _is_specifier(cls, value: str) -> str:
        try:
            SpecifierSet(value)
        except InvalidSpecifier as error:
            raise ValueError(f"{value} names no versions (PEP 440)") from error
        return value

    def holds(self, version: Version) -> bool:
        """Whether a version is among those that may be installed."""
        return SpecifierSet(self.versions).contains(version, prereleases=None)


class Packages(Record):
    """All of them."""

    schema_version: int = 1
    packages: tuple[Package, ...] = ()

    def named(self, name: str) -> tuple[Package, ...]:
        """What is approved by this name, however it is spelled: several entries, where several versions are."""
        wanted = canonicalize_name(name)
        return tuple(one for one in self.packages if canonicalize_name(one.name) == wanted)


def own_file(config: HubConfig) -> Path:
    """Where a hub keeps its own list."""
    return config.home / FILE


def approved(config: HubConfig) -> Packages:
    """What may be installed at this hub.

    Raises:
        ConfigError: its file cannot be read, or says what it cannot say.
    """
    own = own_file(config)
    path = own if own.is_file() else (_INSTALLED if _INSTALLED.is_dir() else _REPOSITORY) / FILE
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> Packages:  # noqa: ARG001 - a file that was changed is read again
    try:
        return Packages.parse(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecordError) as error:
        raise ConfigError(f"{path} lists no packages: {error}", "See policies/workspaces/packages.yaml.") from error
