"""What a PNG or JPEG file holds besides its picture, read off its structure without decoding a pixel."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_PNG_PICTURE = {
    b"IHDR",
    b"PLTE",
    b"IDAT",
    b"IEND",
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"pHYs",
    b"sBIT",
    b"bKGD",
    b"hIST",
}
_PNG_TOLD = {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"iCCP"}
_JPEG_TOLD = {0xE1: "EXIF or XMP", 0xED: "IPTC", 0xFE: "a comment", 0xE2: "a colour profile"}
MOST_PARTS = 100_000


class ContainerError(ValueError):
    """The structure is not that of such a file; says in words why."""


@dataclass
class Container:
    """What was found.

    Attributes:
        width: in pixels.
        height: in pixels.
        bits: of one sample.
        told: names of what is told beside the picture, with its text where it is text.
        hidden: names of parts that no viewer shows.
        after: bytes after the picture's end.
    """

    width: int = 0
    height: int = 0
    bits: int = 8
    told: dict[str, str] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    after: int = 0


def read_png(content: bytes) -> Container:
    """The chunks of a PNG.

    Raises:
        ContainerError: it is none.
    """
    found, ended = Container(), False
    for name, start, length in _chunks(content):
        data = content[start : start + length]
        if name == b"IHDR":
            found.width, found.height, found.bits = struct.unpack(">IIB", data[:9])
        elif name in _PNG_TOLD:
            key, _, text = data.partition(b"\0")
            label = key.decode("latin-1") if name in (b"tEXt", b"zTXt", b"iTXt") else name.decode()
            found.told[label[:40]] = text.decode("latin-1") if name == b"tEXt" else ""
        elif name not in _PNG_PICTURE:
            found.hidden.append(name.decode("latin-1"))
        ended = name == b"IEND"
        found.after = len(content) - (start + length + 4)
        if ended:
            break
    if not ended or not found.width or not found.height:
        raise ContainerError("it ends too early")
    return found


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    place = 8
    for _ in range(MOST_PARTS):
        if place + 12 > len(content):
            return
        length, name = struct.unpack(">I4s", content[place : place + 8])
        if place + 12 + length > len(content):
            raise ContainerError("a part is longer than the file")
        yield name, place + 8, length
        place += 12 + length


def read_jpeg(content: bytes) -> Container:
    """The segments of a JPEG.

    Raises:
        ContainerError: it is none.
    """
    found, place = Container(), 2
    for _ in range(MOST_PARTS):
        while place < len(content) - 1 and content[place] == 0xFF and content[place + 1] == 0xFF:
            place += 1
        if place + 2 > len(content) or content[place] != 0xFF:
            raise ContainerError("a segment does not begin where it should")
        marker = content[place + 1]
        if marker == 0xD9:
            found.after = len(content) - place - 2
            if not found.width:
                raise ContainerError("it has no picture")
            return found
        if place + 4 > len(content):
            raise ContainerError("it ends too early")
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        _segment(found, marker, content[place + 4 : place + 2 + length])
        place += 2 + length
        if marker == 0xDA:
            place = _after_scan(content, place)
    raise ContainerError("it has too many segments")


def _segment(found: Container, marker: int, data: bytes) -> None:
    if marker in _JPEG_TOLD:
        found.told[_JPEG_TOLD[marker]] = data.decode("latin-1") if marker == 0xFE else ""
    elif 0xE3 <= marker <= 0xEF and marker != 0xEE:
        found.hidden.append(f"APP{marker - 0xE0}")
    elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(data) >= 5:
        found.bits, found.height, found.width = struct.unpack(">BHH", data[:5])


def _after_scan(content: bytes, place: int) -> int:
    """Where the next marker is after the compressed data."""
    while True:
        place = content.find(b"\xff", place)
        if place < 0 or place + 1 >= len(content):
            raise ContainerError("it ends too early")
        if content[place + 1] != 0 and not 0xD0 <= content[place + 1] <= 0xD7:
            return place
        place += 2
