"""SATRE's requirements and what answers each of them, as ``policies/satre.yaml`` says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from flip_sdk.contract.records import Line, Record, Text
from pydantic import ValidationError

from flip_hub.errors import ConfigError

_INSTALLED = Path(__file__).parents[1] / "satre.yaml"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "satre.yaml"

Kind = Literal["test", "setting", "page", "document", "organisation_only", "not_met"]


class Requirement(Record):
    """One requirement of the specification.

    Attributes:
        id: SATRE's number.
        pillar: the specification's part.
        capability: the part of that.
        importance: how much the specification asks for it.
        unless: when it need not be met, where the specification says so.
        software_decides: whether a program, rather than an organisation, meets or breaks it.
        words: what it asks for, in FLIP's own words.
        kind: what answers it.
        evidence: tests by their address, settings, pages, or documents.
        gap: what is not answered.
    """

    id: Line
    pillar: Line
    capability: Line
    importance: Literal["mandatory", "recommended", "optional"]
    unless: Line = ""
    software_decides: bool = False
    words: Text
    kind: Kind
    evidence: tuple[Line, ...] = ()
    gap: Text = ""


class Catalogue(Record):
    """All requirements of one version of the specification.

    Attributes:
        specification: its title.
        version: of the specification.
        source: where it is read.
        licence: of the specification's text, and whose it is.
        requirements: in its order.
    """

    specification: Line
    version: Line
    source: Line
    licence: Text
    requirements: tuple[Requirement, ...]


def read(path: Path) -> Catalogue:
    """The requirements of a file.

    Raises:
        ConfigError: it cannot be read as what it should be.
    """
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "Install flip-hub again.") from error


@cache
def requirements() -> Catalogue:
    """Those that come with the hub."""
    return read(_INSTALLED if _INSTALLED.is_file() else _REPOSITORY)
