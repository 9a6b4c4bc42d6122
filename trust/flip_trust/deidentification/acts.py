"""What is done to one encoded value: small functions from bytes to bytes, or to None where nothing is to be written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from pydicom._uid_dict import UID_dictionary

from flip_trust.deidentification import encoding, table
from flip_trust.deidentification.keyed import Keyed

DIGITS = b"0123456789 \0\\"
_ALLOWED = {
    b"DS": DIGITS + b"+-.eE",
    b"IS": DIGITS + b"+-",
    b"AS": DIGITS + b"DWMY",
    b"DA": DIGITS + b".-",
    b"TM": DIGITS + b".:-",
    b"DT": DIGITS + b".+-",
}
"""Characters of the VRs that hold figures as text (PS3.5, 6.2): a name in one of them is not a figure."""
_LENGTHS = {b"SH": 16, b"CS": 16, b"LO": 64}
_WORD = re.compile(rb"[A-Za-z0-9.\x80-\xff]+")
_MEASURE = re.compile(rb"\d{1,3}(\.\d{1,3})?(mm|cm|s|sec|ms|min|kv|kvp)")
_DATE = re.compile(rb"(\d{4})([.-]?)(\d{2})\2(\d{2})")
_OLDEST_YEARS = 89


class Instance(NamedTuple):
    """What an act may know of the file that it works on.

    Attributes:
        person: the identified patient ID.
        pseudonym: the person's, for the patient's name and ID.
        days: by which the person's dates are moved.
        decoded: turns a value into text.
    """

    keyed: Keyed
    person: str
    pseudonym: bytes
    days: int
    decoded: Callable[[bytes], str]


Act = Callable[[bytes, Instance], bytes | None]


def keep(value: bytes, _: Instance) -> bytes | None:
    """The value as it is."""
    return value


def empty(_: bytes, __: Instance) -> bytes | None:
    """No value."""
    return b""


def recurse(value: bytes, _: Instance) -> bytes | None:
    """Stands for a sequence whose items are gone through."""
    return value


def dummy_item(_: bytes, __: Instance) -> bytes | None:
    """Stands for a sequence that is replaced by one item that says nothing."""
    return b""


def dummy(vr: bytes) -> Act:
    """A value that says nothing, valid for its VR; for a UID, a keyed one."""
    if vr == b"UI":
        return uid
    value = encoding.dummy(vr)
    padded = value + b" " * (len(value) % 2)  # here, because a file may say UN where the standard says text
    return lambda _, __: padded


def figures(vr: bytes, otherwise: Act | None) -> Act:
    """The value, where it is made of the characters of its VR alone."""
    allowed = _ALLOWED[vr]

    def act(value: bytes, instance: Instance) -> bytes | None:
        if not value.translate(None, allowed):
            return value
        return otherwise(value, instance) if otherwise else None

    return act


def uid(value: bytes, instance: Instance) -> bytes | None:
    """Keyed UIDs for all but those that the standard itself registers."""
    single = b"\\" not in value
    new = _uid(value, instance) if single else b"\\".join(_uid(part, instance) for part in value.split(b"\\"))
    return new + b"\0" * (len(new) % 2)


def pseudonym(keyword: str, kind: str) -> Act:
    """A keyed pseudonym; the patient's name is that of the patient ID, because names are written in many ways."""

    def of_person(value: bytes, instance: Instance) -> bytes | None:
        text = instance.decoded(value)
        if keyword != "PatientID" or text in {"", instance.person}:
            return instance.pseudonym
        return instance.keyed.person_key(text).encode()

    def of_value(value: bytes, instance: Instance) -> bytes | None:
        text = instance.decoded(value)
        return instance.keyed.pseudonym(kind, text).encode() if text else b""

    return of_person if kind == "person" else of_value


def moved(vr: bytes, otherwise: Act | None) -> Act:
    """Dates moved by the person's days; times of day as they are, because whole days do not change them."""
    allowed = _ALLOWED[vr]

    def act(value: bytes, instance: Instance) -> bytes | None:
        found: bytes | None = None
        if not value.translate(None, allowed):
            found = value if vr == b"TM" else _moved(value, instance.days, vr == b"DT")
        if found is not None:
            return found
        return otherwise(value, instance) if otherwise else None

    return act


def cleaned(vr: bytes, otherwise: Act | None) -> Act:
    """A description reduced to known words (``descriptor-words.txt``) and measures with their unit."""
    known, most = table.words(), _LENGTHS[vr]

    def act(value: bytes, instance: Instance) -> bytes | None:
        kept = [word for word in _WORD.findall(value) if word.lower() in known or _MEASURE.fullmatch(word.lower())]
        text = b" ".join(kept)[:most].rstrip()
        if text:
            return text.upper() if vr == b"CS" else text
        return otherwise(value, instance) if otherwise else None

    return act


def age(otherwise: Act | None) -> Act:
    """An age, those above 89 years as 90: so few people are that old that the age alone can tell who it is."""
    plain = figures(b"AS", otherwise)

    def act(value: bytes, instance: Instance) -> bytes | None:
        number, unit = value.strip(b" \0")[:-1], value.strip(b" \0")[-1:]
        if unit == b"Y" and number.isdigit() and int(number) > _OLDEST_YEARS:
            return b"090Y"
        return plain(value, instance)

    return act


def _uid(value: bytes, instance: Instance) -> bytes:
    text = value.strip(b" \0").decode("latin-1")
    if not text or text in UID_dictionary:
        return value.rstrip(b"\0")
    return instance.keyed.uid(text).encode()


@lru_cache(maxsize=65_536)
def _moved(value: bytes, days: int, with_time: bool) -> bytes | None:
    parts = [_moved_one(part.strip(b" \0"), days, with_time) for part in value.split(b"\\")]
    found = [part for part in parts if part is not None]
    return b"\\".join(found) if len(found) == len(parts) else None


def _moved_one(text: bytes, days: int, with_time: bool) -> bytes | None:
    if not text:
        return b""
    match = _DATE.match(text)
    if not match or (match.end() != len(text) and not with_time):
        return None
    year, _, month, day = match.groups()
    try:
        then = date(int(year), int(month), int(day)) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return b"%04d%02d%02d" % (then.year, then.month, then.day) + text[match.end() :]
