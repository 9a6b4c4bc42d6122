"""De-identification profiles: YAML under ``policies/deidentification``, or a file of the hospital's own."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from flip_sdk.contract.records import digest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from flip_trust.deidentification import table
from flip_trust.errors import SetupError

Option = Literal[
    "uids", "device", "institution", "patient", "full_dates", "modified_dates", "descriptors", "safe_private"
]
"""The standard's options that are kept truthfully. Clean Graphics and Clean Structured Content are not among them."""
OPTION_CODES: dict[Option, tuple[str, str]] = {
    "descriptors": ("113105", "Clean Descriptors Option"),
    "full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "modified_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe_private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}
"""CID 7050, De-identification Method (PS3.16)."""
BASIC_CODE = ("113100", "Basic Application Confidentiality Profile")
Uid = Annotated[str, StringConstraints(pattern=r"^[0-9.]+(\.\*)?$", max_length=64)]
PrivateTag = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{3}[13579BDF]xx[0-9A-F]{2}$")]
PrivateVr = Literal["DS", "IS", "FD", "FL", "SS", "US", "SL", "UL", "SQ"]
Small = Annotated[int, Field(ge=0, le=65_535)]
_DEEPEST_EXTENDS = 8


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextRules(_Part):
    """Which pictures are searched for text that is burned in, and when a find counts.

    Attributes:
        confidence: tesseract's, from which a word counts.
        letters: the shortest word that counts, in letters and digits.
        frames: most frames that are searched, spread evenly over the instance.
    """

    modalities: tuple[str, ...] = ()
    classes: tuple[Uid, ...] = ()
    image_types: tuple[str, ...] = ()
    confidence: Annotated[int, Field(ge=0, le=100)] = 50
    letters: Annotated[int, Field(ge=1)] = 3
    frames: Annotated[int, Field(ge=1)] = 5


class Mask(_Part):
    """Boxes (left, top, right, bottom; in pixels, right and bottom excluded) to blacken in what one device makes."""

    manufacturer: str
    model: str = ""
    modality: str = ""
    rows: Small = 0
    columns: Small = 0
    boxes: Annotated[tuple[tuple[Small, Small, Small, Small], ...], Field(min_length=1)]


class PrivateBlock(_Part):
    """Attributes of one private creator that are kept, with the VR that they must have: numbers and sequences only."""

    creator: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    elements: dict[PrivateTag, PrivateVr]


class Profile(_Part):
    """What is done to a file, as data.

    Attributes:
        pseudonyms: keywords of attributes that get a keyed pseudonym, and its kind.
        most_days: dates are moved by at most so many days.
        refused_classes: SOP classes (``.*``: all below) that are refused, and why.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
    title: str
    purpose: str
    options: tuple[Option, ...] = ()
    pseudonyms: dict[str, Literal["person", "accession", "study"]] = {}
    most_days: Annotated[int, Field(ge=30, le=3650)] = 365
    refused_classes: dict[Uid, str] = {}
    text: TextRules = TextRules()
    masks: tuple[Mask, ...] = ()
    private: tuple[PrivateBlock, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Of all that the profile says and of the tables it rests on: what was done under another one is not done."""
        tables = [(table.folder() / name).read_bytes() for name in (table.TABLE_FILE, table.WORDS_FILE)]
        return digest(b"\n".join([self.model_dump_json().encode(), *tables]))

    def has(self, option: Option) -> bool:
        """Whether an option is chosen."""
        return option in self.options


def names() -> list[str]:
    """The profiles that come with the Trust."""
    return sorted(path.stem for path in table.folder().glob("*.yaml"))


def load(name: str) -> Profile:
    """A profile by its name, or by the path of a YAML file.

    Raises:
        SetupError: there is none, or it says what a profile cannot say; every violation at once.
    """
    try:
        profile = Profile(**_resolved(name, 0), name=Path(name).stem)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise SetupError(f"The profile {name} cannot be used: {wrong}.", "Correct the file.") from error
    if profile.has("full_dates") and profile.has("modified_dates"):
        raise SetupError(f"The profile {name} both keeps and moves dates.", "Choose one of the two options.")
    if profile.private and not profile.has("safe_private"):
        raise SetupError(f"The profile {name} keeps private attributes unsaid.", "Add the option safe_private.")
    return profile


def parsed(text: str) -> Profile:
    """A profile as another process wrote it with ``model_dump_json``."""
    return Profile.model_validate_json(text)


def refused(profile: Profile, sop_class: str) -> bool:
    """Whether the profile refuses a SOP class."""
    return matches(sop_class, tuple(profile.refused_classes))


def matches(uid: str, patterns: tuple[str, ...]) -> bool:
    """Whether a UID is one of these, or below one that ends in ``.*``."""
    return any(uid == each or (each.endswith(".*") and uid.startswith(each[:-1])) for each in patterns)


def _resolved(name: str, depth: int) -> dict[str, Any]:
    path = Path(name) if name.endswith((".yaml", ".yml")) else table.folder() / f"{name}.yaml"
    plain = name.endswith((".yaml", ".yml")) or re.fullmatch(r"[a-z0-9-]+", name)
    if not plain or not path.is_file():
        raise SetupError(f"There is no profile {name}.", f"Use one of {', '.join(names())}, or a YAML file.")
    if depth > _DEEPEST_EXTENDS:
        raise SetupError(f"The profile {name} extends itself.", "Correct the file.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SetupError(f"The profile {name} cannot be read.", "Correct the file.") from error
    if not isinstance(content, dict) or "name" in content:
        raise SetupError(f"The profile {name} is not a profile.", f"Take one in {table.folder()} as a model.")
    base = content.pop("extends", None)
    return (_resolved(str(base), depth + 1) if base else {}) | content


assert set(OPTION_CODES) == set(get_args(Option))
