"""The engine: a file's bytes in, the de-identified file's bytes out, or a refusal.

Every element, at every depth, is looked up by its tag and VR; what the table does not know, what is private and not
allowed, and what does not fit its VR is not written. Nothing passes because it was not looked at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

from flip_trust.deidentification import acts, burned_in, encoding, part10, pixels
from flip_trust.deidentification import elements as walk
from flip_trust.deidentification.acts import Instance
from flip_trust.deidentification.elements import IMPLICIT_LITTLE, PIXEL_DATA, Element, Syntax
from flip_trust.deidentification.encoding import encoded, sequence
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.part10 import Opened
from flip_trust.deidentification.private import Allowed
from flip_trust.deidentification.profile import BASIC_CODE, OPTION_CODES, Profile, refused
from flip_trust.deidentification.refusals import Reason, RefusedFileError
from flip_trust.deidentification.rules import PRIVATE, Rules, vrs_of

_PIXELS = 0x7FE00000
_PIXELS_CODE = ("113101", "Clean Pixel Data Option")
_SLIDE_LABELS = frozenset({"LABEL", "OVERVIEW"})


@dataclass(frozen=True)
class Cleaned:
    """A de-identified file.

    Attributes:
        frame: preamble and file meta information; ``data_set`` goes behind it.
        person: pseudonymous patient ID.
        study_uid: as in the file; so are ``series_uid`` and ``instance_uid``.
        counts: attributes by what was done to them.
    """

    frame: bytes
    data_set: bytes
    person: str
    study_uid: str
    series_uid: str
    instance_uid: str
    counts: Counter[str]


@dataclass
class _Pass:
    """One file on its way through."""

    content: bytes
    instance: Instance
    counts: Counter[str]
    pixel_bytes: int


class Engine:
    """De-identifies files by one profile under one key. May be used by several threads.

    Args:
        profile: what is done.
        keyed: the Trust's pseudonyms.
    """

    def __init__(self, profile: Profile, keyed: Keyed) -> None:
        pixels.hush()
        self.profile = profile
        self._keyed = keyed
        self._rules = Rules(profile)
        self._allowed = Allowed(profile)
        self._said = cache(self._what_is_said)

    def clean(self, data: bytes) -> Cleaned:
        """De-identify a file's bytes.

        Raises:
            RefusedFileError: the file may not pass, and why.
        """
        source = part10.opened(data)
        self._check(source)
        source, looked_at = self._looked_at(data, source)
        person = source.person
        pseudonym = self._keyed.person_key(person)
        days = self._keyed.shift(person, self.profile.most_days)
        instance = Instance(self._keyed, person, pseudonym.encode(), days, source.decoded)
        going = _Pass(source.content, instance, Counter(), pixels.native_length(source))
        chunks = self._level(going, list(source.top.values()), source.syntax, 0)
        chunks += self._said(source.syntax, looked_at)
        chunks.sort(key=_tag)
        uids = [self._uid(source, tag) for tag in (0x0020000D, 0x0020000E, 0x00080018)]
        data_set = b"".join(chunk for _, chunk in chunks)
        frame, data_set = part10.framed(source.transfer_syntax, source.sop_class, uids[2], data_set)
        return Cleaned(frame, data_set, pseudonym, uids[0], uids[1], uids[2], going.counts)

    def _check(self, source: Opened) -> None:
        if refused(self.profile, source.sop_class):
            raise RefusedFileError(Reason.REFUSED_CLASS)
        if _SLIDE_LABELS & set(source.text(0x00080008).split("\\")) or source.text(0x00480010) == "YES":
            raise RefusedFileError(Reason.SLIDE_LABEL)
        pixels.check_overlays(source)

    def _looked_at(self, data: bytes, source: Opened) -> tuple[Opened, bool]:
        """The file with its masks, once text was looked for; and whether the pixels were dealt with at all."""
        if PIXEL_DATA not in source.top:
            return source, False
        mask = pixels.mask_for(self.profile, source)
        if mask is not None:
            data = pixels.masked(data, mask)
            source = part10.opened(data)
        risky = burned_in.is_risky(self.profile.text, source)
        if risky:
            if mask is None and source.text(0x00280301) == "YES":
                raise RefusedFileError(Reason.BURNED_IN_FLAG)
            burned_in.check(self.profile.text, data)
        return source, risky or mask is not None

    def _uid(self, source: Opened, tag: int) -> str:
        value = source.uid(tag)
        return value if self.profile.has("uids") else self._keyed.uid(value)

    def _level(self, going: _Pass, found: list[Element], syntax: Syntax, depth: int) -> list[tuple[int, bytes]]:
        """What is written of one data set's elements, each with its tag."""
        if depth > walk.DEEPEST:
            raise RefusedFileError(Reason.TOO_DEEP)
        written, rules, content = [], self._rules, going.content
        creators: dict[int, str] = {}
        letters = []
        for element in found:
            tag, vr, header, start, end, after = element
            if tag >> 16 & 1:
                rule = self._allowed.rule(element, content, creators)
            elif tag >= _PIXELS and depth:
                rule = PRIVATE
            else:
                rule = rules.of(tag, vr)
            letters.append(rule.letter)
            act = rule.act
            if act is None:
                continue
            if tag == PIXEL_DATA and 0 < going.pixel_bytes < end - start:
                # what lies behind the picture is shown by no viewer, and so looked at by nobody
                written.append((tag, encoded(tag, vr, content[start : start + going.pixel_bytes], syntax)))
            elif act is acts.keep and (tag == PIXEL_DATA or after == end) and not after - header & 1:
                written.append((tag, content[header:after]))
            elif act is acts.recurse or act is acts.dummy_item:
                written.append((tag, self._sequence(going, element, syntax, depth, act is acts.recurse)))
            elif after != end and act is not acts.empty:
                raise RefusedFileError(Reason.BROKEN)  # items where the standard has a value: nobody went through them
            else:
                value = act(content[start:end], going.instance)
                if value is not None:
                    written.append((tag, encoded(tag, vr, value, syntax)))
        going.counts.update(letters)
        return written

    def _sequence(self, going: _Pass, element: Element, syntax: Syntax, depth: int, through: bool) -> bytes:
        # what a UN holds is implicit little endian, whatever the file is (PS3.5, 6.2.2)
        inner = IMPLICIT_LITTLE if element.vr == b"UN" else syntax
        if not through:
            return sequence(element.tag, element.vr, [_dummy_item(element.tag, inner)], syntax, inner)
        data_sets = []
        for start, end in walk.items(going.content, element, inner, depth):
            found = list(walk.elements(going.content, start, end, inner, depth + 1))
            data_sets.append(b"".join(chunk for _, chunk in self._level(going, found, inner, depth + 1)))
        return sequence(element.tag, element.vr, data_sets, syntax, inner)

    def _what_is_said(self, syntax: Syntax, looked_at: bool) -> tuple[tuple[int, bytes], ...]:
        """The attributes by which the file says what was done to it (PS3.15, E.1.1)."""
        method = f"PS3.15 Annex E\\FLIP {self.profile.name}"[:64] + "\\" + self.profile.digest[-16:]
        codes = [BASIC_CODE, *([_PIXELS_CODE] if looked_at else []), *(OPTION_CODES[o] for o in self.profile.options)]
        dates = {"modified_dates": "MODIFIED", "full_dates": "UNMODIFIED"}
        longitudinal = next((dates[o] for o in self.profile.options if o in dates), "REMOVED")
        values = [
            (0x00120062, b"CS", b"YES"),
            (0x00120063, b"LO", method.encode()),
            (0x00280303, b"CS", longitudinal.encode()),
        ]
        said = [(tag, encoded(tag, vr, value, syntax)) for tag, vr, value in values]
        listed = [_code(code, "DCM", meaning, syntax) for code, meaning in sorted(codes)]
        return (*said, (0x00120064, sequence(0x00120064, b"SQ", listed, syntax, syntax)))


def _dummy_item(tag: int, syntax: Syntax) -> bytes:
    """An item that says nothing: a code where the sequence is one of codes."""
    return _code("REMOVED", "99FLIP", "Removed", syntax) if vrs_of(tag) else b""


def _code(value: str, scheme: str, meaning: str, syntax: Syntax) -> bytes:
    parts = ((0x00080100, b"SH", value), (0x00080102, b"SH", scheme), (0x00080104, b"LO", meaning))
    return b"".join(encoding.encoded(tag, vr, text.encode(), syntax) for tag, vr, text in parts)


def _tag(chunk: tuple[int, bytes]) -> int:
    return chunk[0]
