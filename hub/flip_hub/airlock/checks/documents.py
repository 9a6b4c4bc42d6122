"""PDF: nothing that runs or is attached, its words, and what a person has to look at."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed, many
from flip_hub.airlock.checks.secrets import find_secrets
from flip_hub.airlock.checks.texts import read_text

BROKEN = Rule("document.broken", "block", "It cannot be read as a PDF: {why}.", "Print it to PDF again.")
ENCRYPTED = Rule("document.encrypted", "block", "It is encrypted.", "Save it without a password.")
ACTIVE = Rule(
    "document.active_content",
    "block",
    "It holds what could run, open something or carry a file: {names}.",
    "Print it to PDF again, without scripts, forms and attachments.",
)
AFTER = Rule(
    "document.data_after_the_end",
    "block",
    "{many} follow its end, where no viewer shows them.",
    "Print it to PDF again.",
)
REVISIONS = Rule(
    "document.revisions",
    "flag",
    "It was changed after it was made, and what was there before may still be in the file.",
    "Print it to PDF again.",
)
METADATA = Rule(
    "document.metadata", "flag", "It tells of itself: {names}.", "Take author, title and subject out of its properties."
)
LONG = Rule("document.too_long", "flag", "It has {pages:,} pages; the first {most} were read.", "Divide it.")
LOOK = Rule(
    "document.look",
    "flag",
    "Tables and figures in a PDF cannot be checked by a program, and {pictures} in it: a person must read it.",
    "Send tables as CSV and figures as PNG with their counts, and the text as Markdown.",
)
MOST_PAGES = 100
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, RuntimeError, OSError)
"""What pypdf raises at files that are none, besides its own errors."""
MOST_OBJECTS = 100_000
DEEPEST = 200
_ACTIVE = {
    **dict.fromkeys(("/JavaScript", "/JS"), "a script"),
    **dict.fromkeys(("/EmbeddedFile", "/EmbeddedFiles", "/Filespec"), "an attached file"),
    **dict.fromkeys(("/Launch", "/ImportData", "/SubmitForm", "/GoToR", "/GoToE"), "an action"),
    **dict.fromkeys(("/RichMedia", "/Movie", "/Sound", "/Screen", "/3D"), "moving pictures or sound"),
    **dict.fromkeys(("/XFA", "/AcroForm"), "a form"),
    "/AA": "an action",
}
_HARMLESS = {"/Producer", "/CreationDate", "/ModDate", "/Creator", "/Trapped", "/PTEX.Fullbanner"}


def _document(subject: Subject) -> Iterator[Finding]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    content = subject.file.content
    yield from _ends(content)
    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted:
            yield ENCRYPTED.found()
            return
        active = sorted(set(_active(reader)))
        told = sorted(name for name, value in (reader.metadata or {}).items() if name not in _HARMLESS and value)
        pages, text, pictures = len(reader.pages), [], 0
        for page in reader.pages[:MOST_PAGES]:
            text.append(page.extract_text())
            pictures += _pictures(page)
    except (PyPdfError, *_BROKEN) as error:
        yield BROKEN.found(why=f"{type(error).__name__} {error}"[:200])
        return
    if active:
        yield ACTIVE.found(names=listed(active))
    if told:
        yield METADATA.found(names=listed([name.lstrip("/") for name in told]))
    if pages > MOST_PAGES:
        yield LONG.found(pages=pages, most=MOST_PAGES)
    said = many(pictures, "picture is", "pictures are") if pictures else "perhaps drawings are"
    yield LOOK.found(pictures=said, numbers={"pages": pages, "pictures": pictures})
    for number, words in enumerate(text, start=1):
        yield from read_text(words, subject.limits, f"Page {number}: ")
    yield from find_secrets("\n".join(text))


def _ends(content: bytes) -> Iterator[Finding]:
    ends = [match.end() for match in re.finditer(rb"%%EOF", content)]
    after = len(content[ends[-1] :].strip()) if ends else 0
    if after > 0:
        yield AFTER.found(many=many(after, "byte"), numbers={"bytes": after})
    if len(ends) > (2 if b"/Linearized" in content[:2048] else 1):
        yield REVISIONS.found(numbers={"revisions": len(ends)})


def _active(reader: Any) -> Iterator[str]:
    """Names of what is more than a page, in every object that can be reached or that the file lists."""
    for generation in reader.xref.values():
        for number in list(generation)[:MOST_OBJECTS]:
            yield from _in_object(_object(reader, number))
    for number in list(reader.xref_objStm)[:MOST_OBJECTS]:
        yield from _in_object(_object(reader, number))
    yield from _in_object(reader.trailer)


def _object(reader: Any, number: int) -> object:
    from pypdf.generic import IndirectObject

    return reader.get_object(IndirectObject(number, 0, reader))


def _in_object(item: object, depth: int = 0) -> Iterator[str]:
    """Names in one object; what it refers to is an object of its own."""
    if depth > DEEPEST:
        raise ValueError("its objects are nested too deep")
    if isinstance(item, dict):
        for name, value in dict.items(item):
            if name in _ACTIVE and not (name == "/AcroForm" and not value):
                yield _ACTIVE[name]
            if isinstance(value, str) and name in ("/S", "/Type", "/Subtype") and value in _ACTIVE:
                yield _ACTIVE[value]
            yield from _in_object(value, depth + 1)
    elif isinstance(item, list):
        for value in list.__iter__(item):
            yield from _in_object(value, depth + 1)


def _pictures(page: Any) -> int:
    resources = page.get("/Resources")
    found = resources.get_object().get("/XObject") if resources is not None else None
    items = found.get_object().values() if found is not None else ()
    return sum(1 for item in items if item.get_object().get("/Subtype") == "/Image")


CHECKS = (
    Check(
        "documents",
        frozenset({"document"}),
        _document,
        "PDF: scripts, attachments, forms, encryption, earlier revisions, data after the end, properties, words on "
        "each page. A person always has to read it.",
        needs=("pypdf",),
    ),
)
