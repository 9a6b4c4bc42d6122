"""Elements written as bytes (PS3.5, 7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flip_trust.deidentification.elements import ITEM, LONG_VRS, SEQUENCE_END, UNDEFINED, Syntax

_ZERO_PADDED = frozenset({b"UI", b"OB", b"UN"})
DUMMY: Final = b"REMOVED"
_DUMMIES: Final = {
    b"AS": b"000Y",
    b"DA": b"19000101",
    b"DT": b"19000101000000",
    b"TM": b"000000",
    b"DS": b"0",
    b"IS": b"0",
    b"UR": b"urn:removed",
}
_ZEROS: Final = {
    **dict.fromkeys((b"OB", b"UN", b"OW", b"US", b"SS"), 2),
    **dict.fromkeys((b"AT", b"FL", b"UL", b"SL", b"OF", b"OL"), 4),
    **dict.fromkeys((b"FD", b"SV", b"UV", b"OD", b"OV"), 8),
}


def dummy(vr: bytes) -> bytes:
    """A value that says nothing and is valid for its VR (PS3.15, E.1: action D)."""
    return bytes(_ZEROS[vr]) if vr in _ZEROS else _DUMMIES.get(vr, DUMMY)


def encoded(tag: int, vr: bytes, value: bytes, syntax: Syntax) -> bytes:
    """One element of a defined length, padded to an even one."""
    if len(value) % 2:
        value += b"\0" if vr in _ZERO_PADDED else b" "
    group, number, length = tag >> 16, tag & 0xFFFF, len(value)
    if not syntax.explicit:
        return syntax.short.pack(group, number, length) + value
    if vr in LONG_VRS:
        return syntax.short.pack(group, number, vr, 0) + syntax.word.pack(length) + value
    return syntax.short.pack(group, number, vr, length) + value


def sequence(tag: int, vr: bytes, data_sets: Iterable[bytes], syntax: Syntax, inner: Syntax) -> bytes:
    """A sequence; of undefined length where it is a UN, whose items are always implicit."""
    value = b"".join(inner.long.pack(ITEM >> 16, ITEM & 0xFFFF, len(each)) + each for each in data_sets)
    if vr != b"UN":
        return encoded(tag, vr, value, syntax)
    header = syntax.short.pack(tag >> 16, tag & 0xFFFF, vr, 0) + syntax.word.pack(UNDEFINED)
    return header + value + inner.long.pack(SEQUENCE_END >> 16, SEQUENCE_END & 0xFFFF, 0)
