"""A DICOM file's frame (PS3.10): what it says of itself, and the data set inside it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pydicom._uid_dict import UID_dictionary
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.uid import UID

from flip_trust.deidentification import elements as walk
from flip_trust.deidentification.elements import EXPLICIT_LITTLE, Element, Syntax
from flip_trust.deidentification.encoding import encoded
from flip_trust.deidentification.refusals import Reason, RefusedFileError

MOST_BYTES = 4 << 30
MOST_INFLATED = 1 << 30
IMPLEMENTATION = "2.25.152706139482604818290475615023164792855"
VERSION_NAME = b"FLIP_DEID_1"
_PREAMBLE = 128
_META = 2
_DEFLATED = "1.2.840.10008.1.2.1.99"
_SYNTAXES = re.compile(r"1\.2\.840\.10008\.1\.2(\.1|\.1\.9[89]|\.2|\.4\.\d+|\.5)?")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_STORAGE = "Storage"


@dataclass(frozen=True)
class Opened:
    """A file, opened.

    Attributes:
        content: holds the data set from ``start`` to its end; not the file's own bytes where that was deflated.
        top: the data set's own elements, by tag.
    """

    content: bytes
    start: int
    transfer_syntax: str
    syntax: Syntax
    top: Mapping[int, Element]

    def raw(self, tag: int) -> bytes:
        """A value as it is encoded; empty where there is none."""
        element = self.top.get(tag)
        return self.content[element.start : element.end] if element else b""

    def text(self, tag: int) -> str:
        """A value as text, several joined by backslashes."""
        return self.decoded(self.raw(tag))

    def number(self, tag: int) -> int:
        """A value of VR US; 0 where there is none."""
        value = self.raw(tag)
        little = self.syntax.word.format.startswith("<")
        return int.from_bytes(value[:2], "little" if little else "big")

    def uid(self, tag: int) -> str:
        """A UID.

        Raises:
            RefusedFileError: there is none, or it is not one.
        """
        value = self.text(tag)
        if len(value) > 64 or not _UID.fullmatch(value):
            raise RefusedFileError(Reason.NO_UIDS)
        return value

    @cached_property
    def sop_class(self) -> str:
        """The SOP class.

        Raises:
            RefusedFileError: it is not one of the standard's storage classes.
        """
        value = self.text(0x00080016)
        known = UID_dictionary.get(value)
        if known is None or known[1] != "SOP Class" or _STORAGE not in known[0] or "Directory" in known[0]:
            raise RefusedFileError(Reason.SOP_CLASS)
        return value

    @cached_property
    def person(self) -> str:
        """Whom the file is about: the patient ID, or the study where there is none, so that strangers share nothing."""
        return self.text(0x00100020) or f"study {self.uid(0x0020000D)}"

    def decoded(self, value: bytes) -> str:
        """Text in the file's own character set, without its padding."""
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii").strip(" \0")
        try:
            return str(decode_bytes(value, self._encodings, set())).strip(" \0")
        except (LookupError, ValueError) as error:
            raise RefusedFileError(Reason.BROKEN) from error

    @cached_property
    def _encodings(self) -> list[str]:
        names = self.raw(0x00080005).decode("latin-1").strip(" \0").split("\\")
        return list(convert_encodings(names))


def opened(data: bytes) -> Opened:
    """Open a file.

    Raises:
        RefusedFileError: it is not a DICOM file, or not one that is understood to its last byte.
    """
    if data[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        raise RefusedFileError(Reason.NOT_DICOM)
    position, transfer_syntax = _PREAMBLE + 4, ""
    while data[position : position + 2] == b"\2\0":
        element = walk.element_at(data, position, len(data), EXPLICIT_LITTLE)
        if element.tag == 0x00020010:
            transfer_syntax = data[element.start : element.end].decode("latin-1").strip(" \0")
        position = element.after
    if transfer_syntax not in UID_dictionary or not _SYNTAXES.fullmatch(transfer_syntax):
        raise RefusedFileError(Reason.TRANSFER_SYNTAX)
    if transfer_syntax == _DEFLATED:
        data, position = _inflated(data, position), 0
    properties = UID(transfer_syntax)
    syntax = Syntax.of(not properties.is_implicit_VR, properties.is_little_endian)
    top = {element.tag: element for element in walk.elements(data, position, len(data), syntax)}
    return Opened(data, position, transfer_syntax, syntax, top)


def framed(transfer_syntax: str, sop_class: str, sop_instance: str, data_set: bytes) -> tuple[bytes, bytes]:
    """A file's frame, which says nothing but what it must, and the data set as it goes behind it."""
    values = (
        (0x00020001, b"OB", b"\0\1"),
        (0x00020002, b"UI", sop_class.encode()),
        (0x00020003, b"UI", sop_instance.encode()),
        (0x00020010, b"UI", transfer_syntax.encode()),
        (0x00020012, b"UI", IMPLEMENTATION.encode()),
        (0x00020013, b"SH", VERSION_NAME),
    )
    meta = b"".join(encoded(tag, vr, value, EXPLICIT_LITTLE) for tag, vr, value in values)
    length = encoded(_META << 16, b"UL", len(meta).to_bytes(4, "little"), EXPLICIT_LITTLE)
    if transfer_syntax == _DEFLATED:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data_set = deflate.compress(data_set) + deflate.flush()
        data_set += b"\0" * (len(data_set) % 2)
    return bytes(_PREAMBLE) + b"DICM" + length + meta, data_set


def _inflated(data: bytes, position: int) -> bytes:
    inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        content = inflate.decompress(data[position:], MOST_INFLATED)
    except zlib.error as error:
        raise RefusedFileError(Reason.BROKEN) from error
    if not inflate.eof:
        raise RefusedFileError(Reason.INFLATED if inflate.unconsumed_tail else Reason.BROKEN)
    return content
