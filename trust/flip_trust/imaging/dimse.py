"""DIMSE command sets (PS3.7 section 6.3 and annex E): implicit VR little endian, group 0000 only."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from flip_trust.errors import TrustError

STORE_REQUEST, ECHO_REQUEST, CANCEL_REQUEST = 0x0001, 0x0030, 0x0FFF
RESPONSE = 0x8000
NO_DATA_SET = 0x0101
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND, BAD_UID = 0x0000, 0xA700, 0xC000, 0x0117
UNRECOGNISED = 0x0211
_CLASS, _FIELD, _MESSAGE, _ANSWERS, _DATA, _STATUS = 0x0002, 0x0100, 0x0110, 0x0120, 0x0800, 0x0900
_COMMENT, _INSTANCE = 0x0902, 0x1000


class DimseError(TrustError):
    """A peer sent something that is not a DIMSE command."""


@dataclass(frozen=True)
class Request:
    """What a peer asks for.

    Attributes:
        command: the Command Field.
        message_id: to be named in the answer.
        sop_class: affected SOP Class UID.
        sop_instance: affected SOP Instance UID.
        has_data: whether a data set follows.
    """

    command: int
    message_id: int
    sop_class: str
    sop_instance: str
    has_data: bool


def parse_request(content: bytes) -> Request:
    """Read a command set.

    Raises:
        DimseError: it is not one.
    """
    found: dict[int, bytes] = {}
    at = 0
    while at + 8 <= len(content):
        group, number, length = struct.unpack_from("<HHL", content, at)
        if group != 0 or at + 8 + length > len(content):
            raise DimseError
        found[number] = content[at + 8 : at + 8 + length]
        at += 8 + length
    try:
        return Request(
            _number(found[_FIELD]),
            _number(found[_MESSAGE]) if _MESSAGE in found else 0,
            _text(found.get(_CLASS, b"")),
            _text(found.get(_INSTANCE, b"")),
            _number(found[_DATA]) != NO_DATA_SET,
        )
    except (KeyError, struct.error, UnicodeDecodeError) as error:
        raise DimseError from error


def response(request: Request, status: int, comment: str = "") -> bytes:
    """The command set that answers a request, without a data set."""
    elements = [
        (_CLASS, request.sop_class.encode("ascii")),
        (_FIELD, struct.pack("<H", request.command | RESPONSE)),
        (_ANSWERS, struct.pack("<H", request.message_id)),
        (_DATA, struct.pack("<H", NO_DATA_SET)),
        (_STATUS, struct.pack("<H", status)),
    ]
    if comment:
        elements.append((_COMMENT, comment.encode("ascii").ljust(len(comment) + len(comment) % 2)))
    if request.sop_instance:
        elements.append((_INSTANCE, request.sop_instance.encode("ascii")))
    body = b"".join(_element(number, value) for number, value in elements)
    return _element(0, struct.pack("<L", len(body))) + body


def _element(number: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", 0, number, len(value)) + value


def _number(value: bytes) -> int:
    return int(struct.unpack("<H", value)[0])


def _text(value: bytes) -> str:
    return value.decode("ascii").strip(" \0")
