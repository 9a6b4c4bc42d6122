"""The elements of an encoded data set (PS3.5, 7.1 and 7.5): where each begins and ends, and nothing tolerated.

pydicom reads on past a broken length with a warning; here whatever does not fit exactly is refused, because what was
not understood cannot be said to be free of identifiers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from flip_trust.deidentification.refusals import Reason, RefusedFileError

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
DEEPEST = 32
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
PIXEL_DATA = 0x7FE00010


class Syntax(NamedTuple):
    """How elements are encoded; the structs that read and write them."""

    explicit: bool
    short: struct.Struct
    long: struct.Struct
    word: struct.Struct

    @classmethod
    def of(cls, explicit: bool, little: bool) -> Syntax:
        """Of a transfer syntax's two properties."""
        order = "<" if little else ">"
        head = "HH2sH" if explicit else "HHL"
        return cls(explicit, struct.Struct(order + head), struct.Struct(order + "HHL"), struct.Struct(order + "L"))


EXPLICIT_LITTLE = Syntax.of(True, True)
EXPLICIT_BIG = Syntax.of(True, False)
IMPLICIT_LITTLE = Syntax.of(False, True)


class Element(NamedTuple):
    """Where one element lies in its buffer.

    Attributes:
        vr: two bytes; empty where the syntax is implicit.
        header: where the element begins.
        start: where its value begins.
        end: where its value ends, a closing delimiter left out.
        after: where the next element begins.
    """

    tag: int
    vr: bytes
    header: int
    start: int
    end: int
    after: int


def elements(buffer: bytes, start: int, end: int, syntax: Syntax, depth: int = 0) -> Iterator[Element]:
    """The elements between two offsets, in order.

    Raises:
        RefusedFileError: they do not fill the space exactly, are not in ascending order, or have an unknown VR.
    """
    position, last = start, -1
    while position < end:
        element = element_at(buffer, position, end, syntax, depth)
        if element.tag <= last or element.tag >= ITEM >> 16 << 16:
            raise RefusedFileError(Reason.BROKEN)
        last, position = element.tag, element.after
        yield element


def items(buffer: bytes, element: Element, syntax: Syntax, depth: int) -> Iterator[tuple[int, int]]:
    """Where the data sets of a sequence's items begin and end.

    Raises:
        RefusedFileError: the value is not a sequence of items, or nests too deeply.
    """
    position = element.start
    while position < element.end:
        tag, start, end, after = _item(buffer, position, element.end, syntax, depth)
        if tag != ITEM:
            raise RefusedFileError(Reason.BROKEN)
        yield start, end
        position = after


def element_at(buffer: bytes, position: int, limit: int, syntax: Syntax, depth: int = 0) -> Element:
    """The element that begins at an offset.

    Raises:
        RefusedFileError: it does not end before the limit, its VR is unknown, or it nests too deeply.
    """
    try:
        if not syntax.explicit:
            group, number, length = syntax.short.unpack_from(buffer, position)
            vr, start = b"", position + 8
        else:
            group, number, vr, length = syntax.short.unpack_from(buffer, position)
            start = position + 8
            if vr in LONG_VRS:
                length = syntax.word.unpack_from(buffer, start)[0]
                start += 4
            elif vr not in SHORT_VRS:
                raise RefusedFileError(Reason.BROKEN)
    except struct.error as error:
        raise RefusedFileError(Reason.BROKEN) from error
    tag = group << 16 | number
    if length != UNDEFINED:
        end = start + length
        if end > limit:
            raise RefusedFileError(Reason.BROKEN)
        return Element(tag, vr, position, start, end, end)
    # PS3.5, 6.2.2: what a UN of undefined length holds is always implicit little endian
    inner = IMPLICIT_LITTLE if vr == b"UN" else syntax
    end = _end_of_items(buffer, start, limit, inner, depth, fragments=tag == PIXEL_DATA)
    return Element(tag, vr, position, start, end, end + 8)


def _end_of_items(buffer: bytes, start: int, limit: int, syntax: Syntax, depth: int, fragments: bool) -> int:
    """Where the sequence delimiter of an undefined length stands."""
    position = start
    while True:
        tag, _, _, after = _item(buffer, position, limit, syntax, depth, fragments)
        if tag == SEQUENCE_END:
            return position
        position = after


def _item(
    buffer: bytes, position: int, limit: int, syntax: Syntax, depth: int, fragments: bool = False
) -> tuple[int, int, int, int]:
    """An item's tag, where its content begins and ends, and where the next item begins."""
    if depth > DEEPEST:
        raise RefusedFileError(Reason.TOO_DEEP)
    if position + 8 > limit:
        raise RefusedFileError(Reason.BROKEN)
    group, number, length = syntax.long.unpack_from(buffer, position)
    tag, start = group << 16 | number, position + 8
    if tag not in {ITEM, SEQUENCE_END} or (tag == SEQUENCE_END and length):
        raise RefusedFileError(Reason.BROKEN)
    if length != UNDEFINED:
        if start + length > limit:
            raise RefusedFileError(Reason.BROKEN)
        return tag, start, start + length, start + length
    if fragments:
        raise RefusedFileError(Reason.BROKEN)
    end = _end_of_item(buffer, start, limit, syntax, depth + 1)
    return tag, start, end, end + 8


def _end_of_item(buffer: bytes, start: int, limit: int, syntax: Syntax, depth: int) -> int:
    """Where the item delimiter of an undefined length stands."""
    position = start
    while position + 8 <= limit:
        group, number, length = syntax.long.unpack_from(buffer, position)
        if group << 16 | number == ITEM_END:
            if length:
                raise RefusedFileError(Reason.BROKEN)
            return position
        position = element_at(buffer, position, limit, syntax, depth).after
    raise RefusedFileError(Reason.BROKEN)
