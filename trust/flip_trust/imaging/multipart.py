"""Multipart bodies (RFC 2046 section 5.1), part by part, in memory that does not grow with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser

from flip_trust.errors import TrustError

_CHUNK = 1 << 18
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")
_LARGEST_HEADER = 1 << 16
Read = Callable[[int], bytes]


class BadBodyError(TrustError):
    """The body is not what its headers say."""


class Parts:
    """The parts of a body: iterate over it for their headers, and over :meth:`content` for the current one's bytes.

    Args:
        read: gives up to so many bytes, and none at the end.
        boundary: as the Content-Type says.
    """

    def __init__(self, read: Read, boundary: str) -> None:
        self._read, self._mark = read, b"\r\n--" + boundary.encode("ascii")
        self._kept = b"\r\n"
        self._ended = False

    def __iter__(self) -> Iterator[Message]:
        self._drain()
        while not self._ended:
            yield self._headers()
            self._drain()

    def content(self) -> Iterator[bytes]:
        """The current part's bytes.

        Raises:
            BadBodyError: the body ends within the part.
        """
        while (at := self._kept.find(self._mark)) < 0:
            safe = max(0, len(self._kept) - len(self._mark) + 1)
            if safe:
                yield self._kept[:safe]
                self._kept = self._kept[safe:]
            self._more()
        if at:
            yield self._kept[:at]
        # what follows stays marked, so that a second call gives nothing
        self._kept = self._kept[at:]

    def _drain(self) -> None:
        for _ in self.content():
            continue
        self._kept = self._kept[len(self._mark) :]
        while len(self._kept) < 2:
            self._more()
        self._ended = self._kept.startswith(b"--")

    def _headers(self) -> Message:
        while (end := self._kept.find(b"\r\n\r\n")) < 0:
            if len(self._kept) > _LARGEST_HEADER:
                raise BadBodyError
            self._more()
        headers = BytesHeaderParser().parsebytes(self._kept[:end].lstrip())
        self._kept = self._kept[end + 4 :]
        return headers

    def _more(self) -> None:
        chunk = self._read(_CHUNK)
        if not chunk:
            raise BadBodyError
        self._kept += chunk


def boundary_of(headers: Message) -> str | None:
    """The boundary of a body of DICOM files; None where it is something else."""
    found = headers.get_boundary() or ""
    kind = headers.get_param("type") or "application/dicom"
    right = headers.get_content_type() == "multipart/related" and kind == "application/dicom"
    return found if right and _BOUNDARY.fullmatch(found) else None
