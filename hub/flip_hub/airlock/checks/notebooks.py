"""Notebooks: each output is checked like a file of its kind, and the source for what must not be in it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.nested import check_nested
from flip_hub.airlock.checks.pages import ActivePageError, tables_of
from flip_hub.airlock.checks.reading import UNREADABLE
from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed
from flip_hub.airlock.checks.secrets import find_secrets
from flip_hub.airlock.checks.texts import read_text

WIDGETS = Rule(
    "notebook.widgets",
    "block",
    "It keeps the state of widgets, in which nobody can see what data there is.",
    "Save it without widgets: clear the outputs of the cells that have some.",
)
ACTIVE = Rule(
    "notebook.active_output",
    "block",
    "{where}It holds what could run or fetch something: {names}.",
    "Clear this output, or show it as an image.",
)
UNCHECKED = Rule(
    "notebook.unchecked_output",
    "block",
    "{where}Outputs of this kind ({mime}) cannot be checked.",
    "Clear this output, or show it as a table or an image.",
)
TEXT_TABLE = Rule(
    "notebook.table_as_text",
    "flag",
    "{where}It looks like a table in letters, whose numbers were not checked.",
    "Send the table as CSV and clear this output.",
)
LOOK = Rule(
    "notebook.outputs",
    "note",
    "{outputs} outputs were checked, each like a file of its kind.",
    "A notebook without outputs (Clear all outputs) is released more easily.",
)
FIGURE = Rule(
    "notebook.figure",
    "flag",
    "{where}A figure cannot be checked by a program: a person must look.",
    "Send it as a file of its own with the counts behind it, and clear this output.",
)
NOT_VALID = "it is no notebook of version 4"
_TEXTS = ("text/plain", "text/markdown", "text/latex", "text/x-python")
_BESIDE_A_TABLE = ("text/plain",)
_RULED = re.compile(r"[│┃|].*[│┃|]|[─━═┄-]{8,}")
_NUMBERS = re.compile(r"(?:^|\s)[+-]?\d[\d.,]*(?=\s|$)")


def _notebook(subject: Subject) -> Iterator[Finding]:
    data = subject.file.data
    if not isinstance(data, dict) or data.get("nbformat") != 4 or not isinstance(data.get("cells"), list):
        yield UNREADABLE.found(form="a notebook", why=NOT_VALID)
        return
    metadata = data.get("metadata")
    if isinstance(metadata, dict) and "widgets" in metadata:
        yield WIDGETS.found()
    outputs, sources = 0, []
    for number, cell in enumerate(data["cells"], start=1):
        if not isinstance(cell, dict):
            yield UNREADABLE.found(form="a notebook", why=f"cell {number} is none")
            return
        sources.append(joined(cell.get("source")))
        yield from _cell(subject, cell, number)
        for place, output in enumerate(_list(cell.get("outputs")), start=1):
            outputs += 1
            where = f"Cell {number}, output {place}: "
            yield from _output(subject, output if isinstance(output, dict) else {}, where, sources)
    if outputs:
        yield LOOK.found(outputs=outputs, numbers={"outputs": outputs})
    yield from find_secrets("\n".join(sources))


def _cell(subject: Subject, cell: Mapping[str, Any], number: int) -> Iterator[Finding]:
    source = joined(cell.get("source"))
    for finding in read_text(source, subject.limits, f"Cell {number}: "):
        if cell.get("cell_type") != "code" or finding.rule != "text.small_number":
            yield finding
    attachments = cell.get("attachments")
    for name, parts in attachments.items() if isinstance(attachments, dict) else ():
        where = f"Cell {number}, attachment {str(name)[:40]}: "
        for mime, content in parts.items() if isinstance(parts, dict) else ():
            yield from _mime(subject, str(mime), content, where)


def _output(subject: Subject, output: Mapping[str, Any], where: str, sources: list[str]) -> Iterator[Finding]:
    kind, data = output.get("output_type"), output.get("data")
    if kind == "stream":
        sources.append(joined(output.get("text")))
        yield from _text(subject, sources[-1], where)
    elif kind == "error":
        sources.append("\n".join(map(str, _list(output.get("traceback")))))
        yield from _text(subject, sources[-1], where)
    elif kind in ("display_data", "execute_result") and isinstance(data, dict):
        beside = any(mime in data for mime in ("text/html", "image/png", "image/svg+xml"))
        for mime, content in data.items():
            sources.append(joined(content) if str(mime).startswith("text/") else "")
            if not (beside and mime in _BESIDE_A_TABLE):
                yield from _mime(subject, str(mime), content, where)
            else:
                yield from read_text(joined(content), subject.limits, where)
    else:
        yield UNCHECKED.found(where=where, mime=str(kind)[:40])


def _mime(subject: Subject, mime: str, content: object, where: str) -> Iterator[Finding]:
    match mime:
        case "image/png" | "image/jpeg":
            yield from _image(subject, mime.removeprefix("image/"), joined(content), where)
        case "image/svg+xml":
            drawing = joined(content)
            yield FIGURE.found(where=where)
            yield from check_nested(subject, where, kind="image", form="svg", content=drawing.encode(), text=drawing)
        case "text/html":
            yield from _page(subject, joined(content), where)
        case _ if mime in _TEXTS:
            yield from _text(subject, joined(content), where)
        case _:
            yield UNCHECKED.found(where=where, mime=mime[:80])


def _image(subject: Subject, form: str, encoded: str, where: str) -> Iterator[Finding]:
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        yield UNCHECKED.found(where=where, mime=f"image/{form} that is not base64")
        return
    yield FIGURE.found(where=where)
    yield from check_nested(subject, where, kind="image", form=form, content=content)


def _text(subject: Subject, text: str, where: str) -> Iterator[Finding]:
    yield from read_text(text, subject.limits, where)
    lines = text.splitlines()
    ruled = sum(1 for line in lines if _RULED.search(line))
    numbers = sum(1 for line in lines if len(_NUMBERS.findall(line)) >= 2)
    if ruled >= 3 or numbers >= 3:
        yield TEXT_TABLE.found(where=where)


def _page(subject: Subject, page: str, where: str) -> Iterator[Finding]:
    try:
        tables, words = tables_of(page, subject.limits.table_cells)
    except ActivePageError as error:
        yield ACTIVE.found(where=where, names=listed(error.names))
        return
    yield from read_text(words, subject.limits, where)
    for table in tables:
        yield from check_nested(subject, where, kind="table", form="csv", table=table)


def joined(source: object) -> str:
    """A notebook's text, which is a string or a list of lines."""
    if isinstance(source, list):
        return "".join(map(str, source))
    return source if isinstance(source, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


CHECKS = (
    Check(
        "notebooks",
        frozenset({"notebook"}),
        _notebook,
        "Each output like a file of its kind: tables, images, text; widgets and scripts never. Sources for "
        "identifiers, encoded data and secrets.",
        needs=("detect_secrets", "PIL", "scipy", "defusedxml"),
    ),
)
