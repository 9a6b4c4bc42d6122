"""What a profile does, as a table that a reviewer can read."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from typing import NamedTuple

from pydicom.datadict import dictionary_description

from flip_trust.deidentification import table
from flip_trust.deidentification.profile import OPTION_CODES, Profile
from flip_trust.deidentification.rules import Rules, vrs_of

ACTIONS = {
    "X": "removed",
    "Z": "emptied",
    "D": "replaced by a dummy",
    "K": "kept",
    "C": "cleaned",
    "U": "new UID",
    "P": "keyed pseudonym",
}
_SAYS = {
    "modified_dates": "moved by the person's days",
    "descriptors": "reduced to known words",
    "patient": "reduced to known words, ages above 89 to 90",
}


class Description(NamedTuple):
    """One attribute under a profile.

    Attributes:
        basic: what the standard's basic profile says.
        action: what is done, in words.
        because: the profile's reason: ``basic``, an option, or ``pseudonym``.
    """

    tag: str
    name: str
    vr: str
    basic: str
    letter: str
    action: str
    because: str


def described(profile: Profile) -> Iterator[Description]:
    """Every attribute of the standard's table, and what the profile does with it; then the private ones it keeps."""
    rules = Rules(profile)
    for line in table.table().values():
        if line.tag == table.PRIVATE or "x" in line.tag:
            yield Description(line.tag, line.name, "", line.basic, "X", ACTIONS["X"], "basic")
            continue
        tag = int(line.tag, 16)
        vrs = vrs_of(tag)
        rule = rules.of(tag, vrs[0] if vrs else b"UN")
        name = line.name or (dictionary_description(tag) if vrs else "(newer than the dictionary)")
        action = _SAYS.get(rule.because, ACTIONS["C"]) if rule.letter == "C" else ACTIONS[rule.letter]
        vr = vrs[0].decode() if vrs else ""
        yield Description(line.tag, name, vr, line.basic, rule.letter, action, rule.because)
    for block in profile.private:
        for each, vr in block.elements.items():
            yield Description(each, block.creator, vr, "X", "K", "kept", "safe_private")


def facts(profile: Profile) -> Iterator[tuple[str, str]]:
    """What else a reviewer has to know of a profile: a heading and its text."""
    yield "Purpose", profile.purpose
    yield "Options of the standard", ", ".join(OPTION_CODES[option][1] for option in profile.options) or "none"
    yield "Pseudonyms", ", ".join(profile.pseudonyms) or "none"
    if profile.has("modified_dates"):
        yield "Dates", f"moved by 1 to {profile.most_days} days, back or forth; the same for all of a person's files"
    else:
        yield "Dates", "kept as they are" if profile.has("full_dates") else "removed or replaced by a dummy"
    yield (
        "Not in the table",
        "kept; but names emptied, UIDs new, dates as above, addresses and unknown tags removed",
    )
    yield "Refused SOP classes", "; ".join(f"{uid} ({why})" for uid, why in profile.refused_classes.items()) or "none"
    text = profile.text
    yield "Searched for burned-in text", ", ".join((*text.modalities, *text.classes, *text.image_types)) or "none"
    yield "Masks", f"{len(profile.masks)} devices" if profile.masks else "none"
    yield "Digest", profile.digest


def as_csv(profile: Profile) -> str:
    """The table as CSV."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(Description._fields)
    writer.writerows(described(profile))
    return stream.getvalue()
