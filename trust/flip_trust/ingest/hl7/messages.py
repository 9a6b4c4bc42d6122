"""An HL7 version 2 message: its parts, whether it may be taken, and the acknowledgement that answers it.

Source: HL7 v2.5.1, chapters 2 (control) and 2.A (data types); MLLP: HL7's Minimal Lower Layer Protocol, release 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

SUPPORTED = {
    "ADT": frozenset(
        "A01 A02 A03 A04 A06 A07 A08 A11 A12 A13 A18 A28 A31 A34 A35 A36 A40 A41 A47".split()  # noqa: SIM905
    ),
    "ORU": frozenset({"R01"}),
    "ORM": frozenset({"O01"}),
    "OMI": frozenset({"O23"}),
}
"""Types of messages that are mapped, with their trigger events."""
MERGES = frozenset({"A18", "A34", "A36", "A40", "A47"})
"""Two patients are one, or a patient's number changes: who has a number of MRG-1 is PID-3's person from then on."""
OF_ACCOUNTS = frozenset({"A35", "A41"})
"""Merges of accounts, which nothing here hangs on."""
WITHOUT_VISIT = frozenset({"A28", "A31", *MERGES, *OF_ACCOUNTS})
_CHARSETS = {"": "utf-8", "ASCII": "ascii", "UNICODE UTF-8": "utf-8", "UTF-8": "utf-8", "8859/1": "latin-1"}
_CHARSETS |= {"8859/15": "iso8859-15", "UNICODE": "utf-8"}
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_DAY = re.compile(r"\d{8}(\d{2}|\d{4}|\d{6}(\.\d{1,4})?)?([+-]\d{4})?")


class RejectedError(Exception):
    """A message is not taken.

    Attributes:
        code: ``AR`` where it is of a kind that is not taken here at all, ``AE`` where it is wrong in itself.
        reason: why; holds no value of the message.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


@dataclass(frozen=True)
class Message:
    """Segments as lists of fields; field n of a segment is at n, as HL7 counts (MSH too)."""

    segments: tuple[list[str], ...]
    component: str
    repetition: str
    escape: str
    subcomponent: str

    def first(self, name: str) -> list[str]:
        """The first segment of a name; an empty one where there is none."""
        return next((segment for segment in self.segments if segment[0] == name), [name])

    def get(self, segment: list[str], field: int, component: int = 1, repetition: int = 0) -> str:
        """One component, counted as HL7 counts it, without escapes; empty where there is none."""
        if len(segment) <= field:
            return ""
        text = segment[field]
        if not text:
            return ""
        for mark, number in ((self.repetition, repetition), (self.component, component - 1)):
            parts = text.split(mark)
            if len(parts) <= number:
                return ""
            text = parts[number]
        text = self._plain(text.partition(self.subcomponent)[0]).strip()
        # two quotes say that there is no value any more
        return "" if text == '""' else text

    def repetitions(self, segment: list[str], field: int) -> int:
        """How many repetitions a field has."""
        return len(segment[field].split(self.repetition)) if len(segment) > field and segment[field] else 0

    @property
    def kind(self) -> tuple[str, str]:
        """Type and trigger event."""
        header = self.segments[0]
        return self.get(header, 9, 1), self.get(header, 9, 2)

    def _plain(self, text: str) -> str:
        if not self.escape or self.escape not in text:
            return text
        marks = {"F": "|", "S": self.component, "T": self.subcomponent, "R": self.repetition, "E": self.escape}
        escaped = re.compile(re.escape(self.escape) + r"([^\s]{1,12}?)" + re.escape(self.escape))
        return escaped.sub(lambda found: marks.get(found[1], " "), text)


def parse(raw: bytes) -> Message:
    """Read a message.

    Raises:
        RejectedError: it is no HL7 version 2, or in another character set than it says.
    """
    if not raw.startswith(b"MSH") or len(raw) < 9:
        raise RejectedError("AR", "it does not begin with an MSH segment")
    lines = [line for line in re.split(rb"[\r\n]+", raw) if line.strip()]
    charset = _charset(lines[0])
    try:
        text = [line.decode(charset) for line in lines]
    except UnicodeDecodeError:
        if lines[0].count(raw[3:4]) >= 17 and lines[0].split(raw[3:4])[17].strip():
            raise RejectedError("AE", "MSH-18: the message is not in the character set that it names") from None
        text = [line.decode("latin-1") for line in lines]
    separator, marks = text[0][3], text[0][4 : text[0].find(text[0][3], 4)]
    if len(marks) < 2 or len(set(marks + separator)) != len(marks) + 1 or (marks + separator).isalnum():
        raise RejectedError("AR", "MSH-2: the separators are not four different marks")
    segments = [line.split(separator) for line in text]
    # MSH-1 is the separator itself
    segments[0].insert(1, separator)
    four = (marks + "\0\0")[:4]
    escape = four[2] if four[2] != "\0" else ""
    return Message(tuple(segments), four[0], four[1], escape, four[3])


def check(message: Message) -> None:
    """Whether a message may be taken.

    Raises:
        RejectedError: why not.
    """
    header = message.segments[0]
    kind, trigger = message.kind
    if trigger not in SUPPORTED.get(kind, ()):
        known = ", ".join(f"{name}^{event}" for name, events in SUPPORTED.items() for event in sorted(events))
        raise RejectedError("AR", f"MSH-9: not one of {known}")
    if message.get(header, 11) not in {"P", "T", "D"}:
        raise RejectedError("AR", "MSH-11: not P, T or D")
    if not message.get(header, 12).startswith("2"):
        raise RejectedError("AR", "MSH-12: not version 2")
    if not message.get(header, 10):
        raise RejectedError("AE", "MSH-10: missing")
    if not all(_SEGMENT.fullmatch(segment[0]) for segment in message.segments):
        raise RejectedError("AE", "a segment does not begin with its name")
    _check_person(message)
    if trigger in MERGES:
        _check_merge(message)
    {"ADT": _check_visit, "ORU": _check_results}.get(kind, _check_order)(message)


def acknowledge(raw: bytes, code: str, reason: str = "") -> bytes:
    """The answer to a message, as good as its header can be read.

    Args:
        raw: the message.
        code: ``AA``, ``AE`` or ``AR``.
        reason: told in MSA-3.
    """
    header_line = raw.split(b"\r", 1)[0][:2000].decode("latin-1") if raw.startswith(b"MSH|") else ""
    # anything but a plain header is answered in plain marks
    fields = _UNPRINTABLE.sub("?", header_line).split("|") + [""] * 13
    kind = fields[8].split("^")
    sent = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    header = ["MSH", "^~\\&", *fields[4:6], *fields[2:4], sent, ""]
    header += ["^".join(["ACK", *kind[1:2]]), fields[9] or sent, fields[10] or "P", fields[11] or "2.5"]
    words = reason.replace("|", " ").replace("^", " ").replace("&", " ")
    return f"{'|'.join(header)}\rMSA|{code}|{fields[9]}|{words}\r".encode("latin-1", "replace")


def messages_of(content: bytes) -> Iterator[bytes]:
    """The messages of a file: in MLLP's frames, or one after the other, batch headers left out."""
    plain = re.sub(rb"[\x0b\x1c]", b"\r", content)
    for part in re.split(rb"(?:^|[\r\n]+)(?=MSH)", plain.lstrip(b"\xef\xbb\xbf")):
        lines = re.split(rb"[\r\n]+", part)
        kept = [line for line in lines if line and line[:3] not in {b"FHS", b"BHS", b"BTS", b"FTS"}]
        if kept:
            yield b"\r".join(kept) + b"\r"


def is_date(text: str) -> bool:
    """Whether a text is a date to the day at least, as HL7 writes it."""
    if not _DAY.fullmatch(text):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return True


def _charset(header: bytes) -> str:
    fields = header.split(header[3:4])
    named = fields[17].split(b"~")[0].strip().decode("ascii", "replace").upper() if len(fields) > 17 else ""
    if named not in _CHARSETS:
        raise RejectedError("AR", "MSH-18: not one of " + ", ".join(name for name in _CHARSETS if name))
    return _CHARSETS[named]


def _check_person(message: Message) -> None:
    person = message.first("PID")
    if not any(message.get(person, 3, 1, number) for number in range(message.repetitions(person, 3))):
        raise RejectedError("AE", "PID-3: no patient's number")
    for field in (7, 29):
        text = message.get(person, field)
        if text and not is_date(text):
            raise RejectedError("AE", f"PID-{field}: not a date (YYYYMMDD)")


def _check_merge(message: Message) -> None:
    found = [segment for segment in message.segments if segment[0] == "MRG"]
    if not found:
        raise RejectedError("AE", "MRG: missing")
    for segment in found:
        if not any(message.get(segment, 1, 1, at) for at in range(message.repetitions(segment, 1))):
            raise RejectedError("AE", "MRG-1: no number of the patient who goes")


def _check_visit(message: Message) -> None:
    if message.kind[1] in WITHOUT_VISIT:
        return
    visit = message.first("PV1")
    if not message.get(visit, 19):
        raise RejectedError("AE", "PV1-19: no visit number")
    for field in (44, 45):
        text = message.get(visit, field)
        if text and not is_date(text):
            raise RejectedError("AE", f"PV1-{field}: not a date (YYYYMMDD)")
    if message.kind[1] == "A03" and not any(map(is_date, _times(message, visit, 45))):
        raise RejectedError("AE", "PV1-45: no date of discharge, and no EVN-6 or EVN-2")
    if not any(map(is_date, _times(message, visit, 44))):
        raise RejectedError("AE", "PV1-44: no date of admission, and no EVN-6 or EVN-2")


def _times(message: Message, visit: list[str], field: int) -> tuple[str, str, str]:
    event = message.first("EVN")
    return message.get(visit, field), message.get(event, 6), message.get(event, 2)


def _check_results(message: Message) -> None:
    request: list[str] | None = None
    for segment in message.segments:
        if segment[0] == "OBR":
            request = segment
        elif segment[0] == "OBX":
            if request is None:
                raise RejectedError("AE", "OBX: it comes before any OBR")
            _check_result(message, request, segment)
    if request is None:
        raise RejectedError("AE", "OBR: missing")


def _check_result(message: Message, request: list[str], result: list[str]) -> None:
    if not message.get(result, 3, 1) and not message.get(result, 3, 2):
        raise RejectedError("AE", "OBX-3: it does not say what was observed")
    if message.get(result, 2) == "NM" and (text := message.get(result, 5)) and not _is_number(text):
        raise RejectedError("AE", "OBX-5: not a number, and OBX-2 says NM")
    if not any(is_date(message.get(*place)) for place in ((result, 14), (request, 7), (request, 22))):
        raise RejectedError("AE", "OBX-14: no date, and none in OBR-7 or OBR-22")


def _check_order(message: Message) -> None:
    if message.first("ORC") == ["ORC"] or message.first("OBR") == ["OBR"]:
        raise RejectedError("AE", "ORC and OBR: one is missing")
    order, request = message.first("ORC"), message.first("OBR")
    if not message.get(order, 1):
        raise RejectedError("AE", "ORC-1: missing")
    if not (message.get(request, 4, 1) or message.get(request, 4, 2)):
        raise RejectedError("AE", "OBR-4: it does not say what is ordered")
    if not any(message.get(*place) for place in ((order, 2), (order, 3), (request, 2), (request, 3), (request, 18))):
        raise RejectedError("AE", "ORC-2, ORC-3, OBR-18: the order has no number")


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
