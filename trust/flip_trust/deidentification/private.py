"""Private attributes (PS3.5, 7.8): all are dropped but those that the profile allows, by creator, element and VR."""

from __future__ import annotations

from typing import Final

from flip_trust.deidentification import acts
from flip_trust.deidentification.acts import Act
from flip_trust.deidentification.elements import Element
from flip_trust.deidentification.profile import Profile
from flip_trust.deidentification.rules import PRIVATE, Rule

MOST_BYTES: Final = 512
"""No safe attribute is longer: numbers, not pictures or protocols in disguise."""
_SIZES: Final = {b"FD": 8, b"FL": 4, b"SS": 2, b"US": 2, b"SL": 4, b"UL": 4}
_CREATOR: Final = Rule("K", "safe_private", acts.keep)


class Allowed:
    """The private attributes that one profile keeps."""

    def __init__(self, profile: Profile) -> None:
        self._known = {
            (block.creator, int(tag[:4], 16), int(tag[6:], 16)): vr.encode()
            for block in profile.private
            for tag, vr in block.elements.items()
        }
        self._creators = {(creator, group) for creator, group, _ in self._known}

    def rule(self, element: Element, content: bytes, creators: dict[int, str]) -> Rule:
        """What is done to a private element.

        Args:
            element: it.
            content: what it lies in.
            creators: of the data set so far, by the block that each has reserved; written here.
        """
        group, number = element.tag >> 16, element.tag & 0xFFFF
        value = content[element.start : element.end]
        if 0x10 <= number <= 0xFF and element.vr in {b"LO", b"", b"UN"}:
            creator = value.decode("latin-1").strip(" \0")
            creators[element.tag & ~0xFFFF | number << 8] = creator
            return _CREATOR if (creator, group) in self._creators else PRIVATE
        creator = creators.get(element.tag & ~0xFF, "")
        allowed = self._known.get((creator, group, number & 0xFF))
        if allowed is None or element.vr not in {allowed, b"UN", b""}:
            return PRIVATE
        act = _act(allowed, value)
        return Rule("K", "safe_private", act) if act else PRIVATE


def _act(vr: bytes, value: bytes) -> Act | None:
    if vr == b"SQ":
        return acts.recurse
    if len(value) > MOST_BYTES:
        return None
    if vr in _SIZES:
        return None if len(value) % _SIZES[vr] else acts.keep
    return acts.figures(vr, None)
