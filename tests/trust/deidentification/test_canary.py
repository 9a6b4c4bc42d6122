"""Must hold for every profile and every option: of Annex E's attributes nothing stays but what an option retains."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import get_args

import pydicom
import pytest
from flip_trust.deidentification import profile, table
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.profile import Option, Profile
from flip_trust.deidentification.rules import SAID, vrs_of
from pydicom.dataset import Dataset
from pydicom.uid import UID

from tests.trust.deidentification import canaries

PROFILES = [
    *(profile.load(name) for name in profile.names()),
    *(Profile(name=f"only-{option}", title="", purpose="", options=(option,)) for option in get_args(Option)),
]
SYNTAXES = {UID(syntax).name: syntax for syntax in canaries.SYNTAXES}


@cache
def source(syntax: str) -> bytes:
    return canaries.as_bytes(canaries.canary(), syntax)


def retained(line: table.Line, vr: bytes, chosen: Profile) -> bool:
    """What the standard's own columns let an option keep as it was."""
    says = line.options
    if vr in {b"DA", b"DT", b"TM"}:
        moved = vr == b"TM" and chosen.has("modified_dates") and says.get("modified_dates") == "C"
        return moved or (chosen.has("full_dates") and says.get("full_dates") == "K")
    return any(says.get(option) == "K" for option in chosen.options)


def left(written: Dataset, chosen: Profile) -> list[tuple[int, ...]]:
    """Where markers are that nothing retains."""
    lines = dict(canaries.tags())
    found = []
    for path, value in canaries.paths(written):
        tag = path[-1]
        line = next((lines[each] for each in path if each in lines), None)
        if any(each >> 16 & 1 for each in path):
            found.append(path)
        elif line is not None and tag in lines and tag not in SAID:
            vr = (vrs_of(tag) or (b"UN",))[0]
            if value == canaries.marker(tag, vr.decode()) and not retained(line, vr, chosen):
                found.append(path)
        elif line is not None and "CANARY" in str(value):  # inside one of the table's sequences
            kept = line.basic.endswith("U*") or retained(line, b"SQ", chosen)
            found += [] if kept else [path]
    return found


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
@pytest.mark.parametrize("chosen", PROFILES, ids=lambda each: each.name)
def test_no_marker_is_left_but_those_an_option_retains(chosen, syntax) -> None:
    cleaned = Engine(chosen, Keyed(b"k" * 32)).clean(source(syntax))

    assert left(pydicom.dcmread(BytesIO(cleaned.frame + cleaned.data_set)), chosen) == []


def test_the_search_finds_every_marker_where_nothing_was_done() -> None:
    untouched = pydicom.dcmread(BytesIO(source(canaries.SYNTAXES[0])))

    found = left(untouched, PROFILES[0])

    depths = {len([tag for tag in path if tag in canaries.UNLISTED]) for path in found}
    assert len(found) > 2 * 600
    assert depths == {0, 2}


@pytest.mark.parametrize("name", ["basic", "retain-dates-shifted"])
def test_no_marker_is_anywhere_in_the_bytes(name) -> None:
    data = source(canaries.SYNTAXES[0])
    dropped = [tag for tag, line in canaries.tags() if not line.basic.endswith("U*")]

    cleaned = Engine(profile.load(name), Keyed(b"k" * 32)).clean(data)
    whole = cleaned.frame + cleaned.data_set

    kept_by_option = {tag for tag, line in canaries.tags() if retained(line, (vrs_of(tag) or (b"UN",))[0], PROFILES[2])}
    for tag in set(dropped) - kept_by_option:
        assert f"CANARY{tag:08X}".encode() not in whole
    assert b"CANARY_META" not in whole
    assert b"CANARY PREAMBLE" not in whole
    assert data.count(b"CANARY") > 1500


def test_the_table_has_every_line_of_the_standard() -> None:
    lines = table.table().values()

    assert len(lines) == 656
    assert sum("x" in line.tag for line in lines) == 3
    assert sum(not vrs_of(int(line.tag, 16)) for line in lines if "x" not in line.tag and line.tag != "odd") == 25
