"""SVG: nothing that runs, nothing from elsewhere, and its points and words."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.images import BROKEN, POINTS
from flip_hub.airlock.checks.nested import check_nested
from flip_hub.airlock.checks.rules import Check, FileRead, Rule, Subject, listed
from flip_hub.airlock.checks.texts import read_text

ACTIVE = Rule(
    "image.active_content",
    "block",
    "It holds what could run, or fetch something, when it is opened: {names}.",
    "Save it again as PNG.",
)
MOST_LETTERS = 8_000_000
MOST_ELEMENTS = 200_000
MOST_POINTS = 40
_ELEMENTS = frozenset(
    (
        *("svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"),
        *("textpath", "defs", "use", "clippath", "style", "lineargradient", "radialgradient", "stop", "title"),
        *("desc", "metadata", "marker", "pattern", "symbol", "image", "mask", "switch", "filter", "fegaussianblur"),
        *("feoffset", "femerge", "femergenode", "feflood", "fecomposite", "feblend", "fecolormatrix"),
    )
)
_METADATA = frozenset(("rdf", "work", "type", "date", "format", "creator", "agent", "title", "language", "publisher"))
_PICTURE = re.compile(r"\s*data:image/(png|jpeg);base64,([A-Za-z0-9+/=\s]*)\s*")
_FETCHES = re.compile(r"@import|expression\s*\(|javascript:|url\(\s*(?!['\"\s]*#)", re.IGNORECASE)
_INSTRUCTION = re.compile(r"<\?(?!xml\b)", re.IGNORECASE)
_ENCODING = re.compile(r"""\s*<\?xml[^>]*encoding\s*=\s*["']([^"']*)["']""")
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)


@dataclass
class _Drawing:
    """What is in a drawing: names of what is active, words, and pictures as (format, base64)."""

    active: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    points: int = 0


def _drawing(subject: Subject) -> Iterator[Finding]:
    if subject.file.form != "svg":
        return
    try:
        found = _read(subject.file)
    except ValueError as error:
        yield BROKEN.found(why=str(error)[:200])
        return
    if found.active:
        yield ACTIVE.found(names=listed(list(dict.fromkeys(found.active))))
    if found.points >= MOST_POINTS:
        threshold = subject.limits.threshold
        yield POINTS.found(points=found.points, threshold=threshold, numbers={"points": found.points})
    yield from read_text("\n".join(filter(str.strip, found.words)), subject.limits, "Written in the drawing: ")
    yield from _pictures(subject, found.pictures)


def _read(file: FileRead) -> _Drawing:
    """Take a drawing apart.

    Raises:
        ValueError: it is none, or too large.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    text = file.text or ""
    if len(text) > MOST_LETTERS:
        raise ValueError(f"it has {len(text):,} letters")
    if (said := _ENCODING.match(text)) and said[1].lower() not in ("utf-8", "us-ascii", "ascii"):
        raise ValueError(f"it says that it is in {said[1][:20]}, and is in UTF-8")
    try:
        elements = list(fromstring(text).iter())
    except (ParseError, DefusedXmlException) as error:
        raise ValueError(f"{type(error).__name__} {error}") from error
    if len(elements) > MOST_ELEMENTS:
        raise ValueError(f"it has {len(elements):,} elements")
    found = _Drawing(words=_COMMENT.findall(text), points=_points(elements))
    if _INSTRUCTION.search(text):
        found.active.append("a processing instruction")
    for element in elements:
        _read_element(found, element)
    return found


def _read_element(found: _Drawing, element: Any) -> None:
    name = str(element.tag).rpartition("}")[2].lower()
    if name not in _ELEMENTS | _METADATA:
        found.active.append(f"<{name}>")
    if name == "style" and _FETCHES.search(element.text or ""):
        found.active.append("a style from elsewhere")
    found.words += [element.text or "", element.tail or ""]
    for key, value in element.attrib.items():
        plain = key.rpartition("}")[2].lower()
        if plain == "href" and (picture := _PICTURE.fullmatch(value)):
            found.pictures.append((picture[1], picture[2]))
        elif plain.startswith("on") or _leads_away(name, plain, value):
            found.active.append(plain)
        elif plain not in ("d", "points", "style", "transform"):
            found.words.append(value)


def _leads_away(element: str, name: str, value: str) -> bool:
    """Whether an attribute fetches something; what matplotlib says of itself in the metadata is only a name."""
    if element in _METADATA:
        return False
    return not value.startswith("#") if name in ("href", "src") else bool(_FETCHES.search(value))


def _points(elements: list[Any]) -> int:
    """How many shapes are alike: points of a scatter plot are one marker, used many times."""
    alike: Counter[tuple[str, str]] = Counter()
    for element in elements:
        name = str(element.tag).rpartition("}")[2].lower()
        attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        if name == "use" and "x" in attributes:
            alike[name, attributes.get("href", "")] += 1
        elif name in ("circle", "ellipse"):
            alike[name, attributes.get("r", "") + attributes.get("rx", "")] += 1
    return max(alike.values(), default=0)


def _pictures(subject: Subject, pictures: list[tuple[str, str]]) -> Iterator[Finding]:
    for number, (form, encoded) in enumerate(pictures, start=1):
        try:
            content = base64.b64decode(encoded, validate=False)
        except binascii.Error:
            yield BROKEN.found(why=f"picture {number} in it is not base64")
            continue
        yield from check_nested(subject, f"Picture {number} in it: ", kind="image", form=form, content=content)


CHECKS = (
    Check(
        "drawings",
        frozenset({"image"}),
        _drawing,
        "SVG: scripts, links, foreign content and styles from elsewhere; single points; words; pictures inside.",
        needs=("defusedxml",),
    ),
)
