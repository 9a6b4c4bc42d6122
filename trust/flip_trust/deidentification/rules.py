"""A profile and the standard's table, compiled into one look-up: what is done to an attribute of a given VR."""

from __future__ import annotations

from typing import Final, NamedTuple

from pydicom.datadict import dictionary_keyword, dictionary_VR

from flip_trust.deidentification import acts, table
from flip_trust.deidentification.acts import Act
from flip_trust.deidentification.profile import Option, Profile

DATES: Final = frozenset({b"DA", b"DT", b"TM"})
_BINARY: Final = frozenset(b"AT FD FL OB OD OF OL OV OW SL SS SV UL US UV".split())
_FIGURES: Final = frozenset({b"DS", b"IS", b"AS"})
_CLEANABLE: Final = frozenset({b"LO", b"SH", b"CS"})
_OTHER_OPTIONS: Final[tuple[Option, ...]] = ("uids", "device", "institution", "patient", "full_dates")
_AGE: Final = 0x00101010
SAID: Final = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
"""What the engine itself says of what was done; the file's own words are never kept."""
_WITHOUT_VALUE: Final = frozenset({b"AE", b"UR", b"UN"})


class Rule(NamedTuple):
    """What is done.

    Attributes:
        letter: the standard's (X remove, Z empty, D dummy, K keep, C clean, U new UID), or P for a keyed pseudonym.
        because: what says so: ``basic``, an option, or ``unlisted``.
        act: None: nothing is written.
    """

    letter: str
    because: str
    act: Act | None


def _drop(because: str) -> Rule:
    return Rule("X", because, None)


UNKNOWN: Final = _drop("unknown")
PRIVATE: Final = _drop("private")


class Rules:
    """Rules of one profile. Public attributes only; which private ones are kept, the engine knows."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[tuple[int, bytes], Rule] = {}

    def of(self, tag: int, vr: bytes) -> Rule:
        """The rule for an attribute, with the VR that the file says (empty: it says none)."""
        rule = self._known.get((tag, vr))
        if rule is None:
            rule = self._made(tag, vr)
            if rule is not UNKNOWN:  # what the standard knows is finite; what a hostile file can make up is not
                self._known[tag, vr] = rule
        return rule

    def _made(self, tag: int, vr: bytes) -> Rule:
        group = tag >> 16
        if tag in SAID:
            return _drop("said anew")
        if group < 8 or group >= 0xFFFA or not tag & 0xFFFF or group >> 8 in {0x50, 0x60}:
            return _drop("basic")
        line, standard = table.line_of(tag), vrs_of(tag)
        if line is None and not standard:
            return UNKNOWN
        real = vr if vr not in {b"", b"UN"} else (standard[0] if standard else b"UN")
        if line is None:
            return self._unlisted(real, standard)
        kind = self._profile.pseudonyms.get(dictionary_keyword(tag) if standard else "")
        if kind is not None and real != b"SQ":
            return Rule("P", "pseudonym", acts.pseudonym(dictionary_keyword(tag), kind))
        return self._listed(line, tag, real, standard)

    def _listed(self, line: table.Line, tag: int, vr: bytes, standard: tuple[bytes, ...]) -> Rule:
        basic = _basic(line, vr)
        meant = standard[0] if standard and vr not in standard else vr
        letter, because = self._decision(line, meant)
        if because == "basic" or (vr == b"SQ") != (meant == b"SQ"):
            return basic
        if letter == "C":
            made = acts.moved if meant in DATES else acts.cleaned
            return Rule("C", because, made(meant, basic.act))
        if vr == b"SQ":
            return Rule("K", because, acts.recurse)
        if tag == _AGE:
            return Rule("C", because, acts.age(basic.act))
        checked = meant in _FIGURES | DATES
        return Rule("K", because, acts.figures(meant, basic.act) if checked else acts.keep)

    def _decision(self, line: table.Line, vr: bytes) -> tuple[str, str]:
        """Letter, and the option that says so; dates follow the options on dates and no other."""
        says = line.options
        if vr in DATES:
            if self._profile.has("modified_dates") and "modified_dates" in says:
                return "C", "modified_dates"
            return ("K", "full_dates") if self._profile.has("full_dates") and "full_dates" in says else ("", "basic")
        for option in _OTHER_OPTIONS:
            if self._profile.has(option) and says.get(option) == "K":
                return "K", option
        for option in ("descriptors", "patient"):
            if option in self._profile.options and says.get(option) == "C" and vr in _CLEANABLE:
                return "C", option
        return "", "basic"

    def _unlisted(self, vr: bytes, standard: tuple[bytes, ...]) -> Rule:
        """What Annex E does not list is kept, unless its VR makes it a name, an address, a UID or a date."""
        if vr == b"SQ":
            return Rule("K", "unlisted", acts.recurse)
        if b"SQ" in standard or (vr not in standard and not {vr, *standard} <= _BINARY):
            return _drop("not its VR")
        if vr in DATES:
            return self._unlisted_date(vr)
        if vr == b"UI" and not self._profile.has("uids"):
            return Rule("U", "unlisted", acts.uid)
        by_vr = {b"PN": Rule("Z", "unlisted", acts.empty), **dict.fromkeys(_WITHOUT_VALUE, _drop("unlisted"))}
        return by_vr.get(vr) or Rule("K", "unlisted", acts.figures(vr, None) if vr in _FIGURES else acts.keep)

    def _unlisted_date(self, vr: bytes) -> Rule:
        dummy = acts.dummy(vr)
        if self._profile.has("modified_dates"):
            return Rule("C", "modified_dates", acts.moved(vr, dummy))
        if self._profile.has("full_dates"):
            return Rule("K", "full_dates", acts.figures(vr, dummy))
        return Rule("D", "unlisted", dummy)


def vrs_of(tag: int) -> tuple[bytes, ...]:
    """The VRs that the standard allows an attribute; none where pydicom's dictionary does not know it."""
    try:
        return tuple(name.encode() for name in dictionary_VR(tag).split(" or ") if name != "NONE")
    except KeyError:
        return ()


def _basic(line: table.Line, vr: bytes) -> Rule:
    """The basic profile's action; of several, the one that is valid whatever the attribute's type."""
    letters = line.basic.rstrip("*").split("/")
    if vr == b"SQ" and letters[-1] == "D" and len(letters) > 1:
        letters = letters[:-1]  # a dummy item would have to invent codes; an attribute that may be absent is left out
    act: dict[str, Act | None] = {"X": None, "Z": acts.empty, "U": acts.uid, "D": acts.dummy(vr)}
    if vr == b"SQ":
        act |= {"U": acts.recurse, "D": acts.dummy_item}
    return Rule(letters[-1], "basic", act[letters[-1]])
