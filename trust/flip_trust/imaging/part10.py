"""The little of DICOM's file format (PS3.10) that keeping a file needs: its meta information, written and read."""

from __future__ import annotations

import os
import re
import struct

IMPLEMENTATION_UID = "2.25.211540229372174265391063512409587301137"
IMPLEMENTATION_NAME = "FLIP_TRUST"
_PREAMBLE = bytes(128) + b"DICM"
_LONG = {b"OB"}
_UID = re.compile(r"[0-9][0-9.]{0,63}")
_LARGEST_META = 1 << 20
_CHUNK = 1 << 20


def is_uid(text: str) -> bool:
    """Whether a text can stand where a UID is asked for; senders' leading zeros are let through."""
    return _UID.fullmatch(text) is not None


def file_start(sop_class: str, sop_instance: str, transfer_syntax: str, sender: str = "") -> bytes:
    """Preamble, prefix and File Meta Information (PS3.10 section 7.1), which the encoded data set follows as it is."""
    elements = [
        _element(0x0001, b"OB", b"\0\1"),
        _element(0x0002, b"UI", sop_class.encode("ascii")),
        _element(0x0003, b"UI", sop_instance.encode("ascii")),
        _element(0x0010, b"UI", transfer_syntax.encode("ascii")),
        _element(0x0012, b"UI", IMPLEMENTATION_UID.encode("ascii")),
        _element(0x0013, b"SH", IMPLEMENTATION_NAME.encode("ascii")),
    ]
    if sender:
        elements.append(_element(0x0016, b"AE", sender.encode("ascii", "replace")))
    meta = b"".join(elements)
    return _PREAMBLE + _element(0x0000, b"UL", struct.pack("<L", len(meta))) + meta


def has_prefix(start: bytes) -> bool:
    """Whether these are the first bytes of a DICOM file."""
    return start[128:132] == b"DICM"


def same_instance(one: int, other: int) -> bool:
    """Whether two open files hold the same data set in the same transfer syntax, whoever sent them and when."""
    (start, syntax), (other_start, other_syntax) = _data_set(one), _data_set(other)
    length = os.fstat(one).st_size - start
    if syntax != other_syntax or os.fstat(other).st_size - other_start != length:
        return False
    return all(
        os.pread(one, _CHUNK, start + at) == os.pread(other, _CHUNK, other_start + at)
        for at in range(0, length, _CHUNK)
    )


def _data_set(descriptor: int) -> tuple[int, bytes]:
    """Where the data set begins, and the transfer syntax; the file's start where its meta information is unusual."""
    start = os.pread(descriptor, 144, 0)
    if not has_prefix(start) or start[132:140] != b"\2\0\0\0UL\4\0":
        return 0, b""
    length = struct.unpack_from("<L", start, 140)[0]
    if length > _LARGEST_META:
        return 0, b""
    found = re.search(rb"\x02\x00\x10\x00UI(..)([0-9.]+)", os.pread(descriptor, length, 144), re.DOTALL)
    return 144 + length, found.group(2) if found else b""


def _element(number: int, representation: bytes, value: bytes) -> bytes:
    if len(value) % 2:
        value += b" " if representation in {b"SH", b"AE"} else b"\0"
    length = struct.pack("<HL", 0, len(value)) if representation in _LONG else struct.pack("<H", len(value))
    return struct.pack("<HH", 0x0002, number) + representation + length + value
