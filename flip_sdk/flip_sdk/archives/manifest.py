"""What an archive says of itself."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from flip_sdk.contract.records import Digest, Instant, Line, Record

FORMAT: Final = 1
MANIFEST = "manifest.json"
MOST_MANIFEST_BYTES = 1 << 30
_MOST_LETTERS = 1000


def _safe(name: str) -> str:
    """Refuse what would lead out of the folder that members are laid out in."""
    parts = name.split("/")
    if {"", ".", ".."} & set(parts) or "\\" in name or "\x00" in name or len(name) > _MOST_LETTERS:
        raise ValueError("not a relative path")
    return name


MemberName = Annotated[str, AfterValidator(_safe)]
"""A relative path without ``.`` or ``..``."""


class Member(Record):
    """One file of an archive.

    Attributes:
        mode: the file's permissions.
    """

    name: MemberName
    sha256: Digest
    size: Annotated[int, Field(ge=0)]
    mode: Annotated[int, Field(ge=0, le=0o777)] = 0o600


class Manifest(Record):
    """Everything that is in an archive. The archive's own digest is this record's.

    Attributes:
        facts: what the program that made it wants to know when it reads it.
    """

    format: Literal[1] = FORMAT
    kind: Line
    version: Line
    made_at: Instant
    facts: dict[str, Any]
    members: tuple[Member, ...]
