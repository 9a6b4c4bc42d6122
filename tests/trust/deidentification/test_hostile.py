"""Files that were made to break a reader."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pydicom.data
import pytest
from flip_trust.deidentification import part10
from flip_trust.deidentification.elements import EXPLICIT_LITTLE
from flip_trust.deidentification.encoding import encoded
from flip_trust.deidentification.refusals import Reason, RefusedFileError
from hypothesis import given, settings
from hypothesis import strategies as some
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.trust.deidentification.canaries import CT, as_bytes, plain

CORPUS = [
    path
    for path in sorted(Path(pydicom.data.__file__).parent.rglob("*"))
    if path.is_file() and path.suffix not in {".py", ".pyc", ".json", ".md", ".txt"}
]
_SEQUENCE = b"\x08\x00\x18\x22SQ\0\0"
_ITEM = b"\xfe\xff\x00\xe0"
_ENDLESS = b"\xff\xff\xff\xff"


def reason_of(engine, data: bytes) -> Reason | None:
    try:
        engine.clean(data)
    except RefusedFileError as refusal:
        return refusal.reason
    return None


def with_tail(tail: bytes) -> bytes:
    """A file whose data set is cut before the pixels and goes on with something else."""
    data = as_bytes(plain())
    return data[: data.index(b"\xe0\x7f\x10\x00")] + tail


@pytest.mark.parametrize("depth", [40, 100_000])
def test_deep_nesting_is_refused_whether_lengths_are_said_or_not(default, depth) -> None:
    undefined = (_SEQUENCE + _ENDLESS + _ITEM + _ENDLESS) * depth
    nested = b""
    for _ in range(min(depth, 200)):
        item = _ITEM + struct.pack("<L", len(nested)) + nested
        nested = _SEQUENCE + struct.pack("<L", len(item)) + item
    head = encoded(0x00080016, b"UI", CT.encode(), EXPLICIT_LITTLE)
    uids = b"".join(encoded(tag, b"UI", b"1.2", EXPLICIT_LITTLE) for tag in (0x0020000D, 0x0020000E))
    frame = part10.framed("1.2.840.10008.1.2.1", CT, "1.2", b"")[0]
    for inside in (undefined, nested):
        data = frame + head + encoded(0x00080018, b"UI", b"1.2", EXPLICIT_LITTLE) + inside + uids
        assert reason_of(default, data) is Reason.TOO_DEEP


@pytest.mark.parametrize(
    "tail",
    [
        b"\x28\x00\x30\x30OB\0\0\xf0\xff\xff\xff" + b"x" * 100,
        b"\x28\x00\x30\x30OB\0\0\xff\xff\xff\xff" + b"x" * 100,
        b"\x28\x00\x30\x30??\x04\0abcd",
        b"\x28\x00\x30\x30LO\xff\xffabcd",
        b"\x28\x00\x30",
        b"\x08\x00\x30\x10LO\x04\0JOHN",
        _ITEM + b"\0\0\0\0",
    ],
    ids=["huge", "undefined", "unknown VR", "too long", "cut off", "out of order", "stray item"],
)
def test_what_does_not_fit_exactly_is_refused(default, tail) -> None:
    assert reason_of(default, with_tail(tail)) is Reason.BROKEN


@pytest.mark.parametrize(
    ("syntax", "head"),
    [(ImplicitVRLittleEndian, b"\x08\0\x90\x10"), (ExplicitVRLittleEndian, b"\x08\0\x90\x10UN\0\0")],
    ids=["implicit", "UN"],
)
def test_items_where_the_standard_has_a_value_are_refused(default, syntax, head) -> None:
    """A reader would take them for a sequence; whoever keeps the value as it is lets all of it through."""
    data = as_bytes(plain(), syntax)
    name = b"\x10\0\x10\0\x04\0\0\0JOHN"
    items = head + _ENDLESS + _ITEM + struct.pack("<L", len(name)) + name + b"\xfe\xff\xdd\xe0\0\0\0\0"
    at = data.index(b"\x10\0\x10\0", 300)

    assert reason_of(default, data[:at] + items + data[at:]) is Reason.BROKEN


def test_a_deflated_bomb_is_refused(default, monkeypatch) -> None:
    monkeypatch.setattr(part10, "MOST_INFLATED", 1_000_000)
    head = part10.framed(DeflatedExplicitVRLittleEndian, CT, "1.2", b"")[0]
    deflate = zlib.compressobj(wbits=-15)

    assert reason_of(default, head + deflate.compress(bytes(5_000_000)) + deflate.flush()) is Reason.INFLATED


@given(some.binary(max_size=400), some.integers(0, 2000), some.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_damage_is_refused_or_harmless_but_never_fatal(default, junk, at, cut) -> None:
    data = as_bytes(plain(StudyDescription="CT head"))
    at %= len(data)

    reason_of(default, data[:at] + junk + data[at + cut :])


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_every_file_that_pydicom_ships_is_handled_or_refused(default, path, monkeypatch) -> None:
    monkeypatch.setattr("flip_trust.deidentification.burned_in._recognised", lambda *_: "")
    reason_of(default, path.read_bytes())
