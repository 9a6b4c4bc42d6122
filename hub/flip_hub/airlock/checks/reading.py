"""Reading a file: by what it holds and how it is called, which have to agree."""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from flip_sdk.contract.airlock import FileKind, Finding, OutputStatement
from flip_sdk.contract.records import digest

from flip_hub.airlock.checks import sniffing
from flip_hub.airlock.checks.limits import Limits
from flip_hub.airlock.checks.rules import FileRead, Rule
from flip_hub.airlock.checks.tables import TableError, delimiter_of, read_delimited, read_json

FORMATS: dict[str, tuple[str, FileKind]] = {
    ".csv": ("csv", "table"),
    ".tsv": ("csv", "table"),
    ".txt": ("text", "text"),
    ".md": ("text", "text"),
    ".json": ("json", "text"),
    ".ipynb": ("notebook", "notebook"),
    ".png": ("png", "image"),
    ".jpg": ("jpeg", "image"),
    ".jpeg": ("jpeg", "image"),
    ".svg": ("svg", "image"),
    ".pdf": ("pdf", "document"),
    ".safetensors": ("safetensors", "model"),
}
"""What may leave: by the end of its name, the format that it has to be, and the kind of checks."""
INSTEAD = {
    ".pkl": "A pickle runs code when it is opened. Save a table as CSV and a model by model.save().",
    ".xlsx": "Save each sheet as CSV.",
    ".xls": "Save each sheet as CSV.",
    ".docx": "Save it as Markdown or as PDF.",
    ".html": "Save it as Markdown or PDF, or send the notebook.",
    ".parquet": "Save it as CSV, which a checker can read.",
    ".zip": "Send the files one by one.",
    ".gif": "Save it as PNG.",
    ".onnx": "Send the model as FLIP keeps it: its graph as JSON and its weights as safetensors.",
}
DEEPEST = 64

NOT_A_FILE = Rule("format.not_a_file", "block", "There is no ordinary file here.", "Upload it again.")
OTHER_BYTES = Rule(
    "format.other_bytes", "block", "The file is not the one that the statement was made for.", "Upload it again."
)
TOO_LARGE = Rule(
    "format.too_large",
    "block",
    "The file has {size:,} bytes; {most:,} are looked at.",
    "Send a summary, or divide it.",
)
EMPTY = Rule("format.empty", "block", "The file is empty.", "Leave it out.")
NOT_ALLOWED = Rule(
    "format.not_allowed", "block", "Files of this kind ({suffix}) never leave: they cannot be checked.", "{mend}"
)
DISGUISED = Rule(
    "format.disguised",
    "block",
    "It is called {suffix}, and what it holds is {real}.",
    "Send what the name says, in one of the formats that may leave.",
)
NOT_TEXT = Rule("format.not_text", "block", "Its text cannot be read: {why}.", "Save it as UTF-8, without odd signs.")
HIDDEN = Rule(
    "format.hidden_characters",
    "flag",
    "It holds {count} characters that are not seen or that turn the direction of what is read ({names}).",
    "Take them out: what a checker sees must be what is there.",
)
UNREADABLE = Rule("format.unreadable", "block", "It cannot be read as {form}: {why}.", "Correct or export it again.")
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def read_file(folder: Path, statement: OutputStatement, limits: Limits) -> FileRead:
    """Read one file of a request; what is wrong with it is in its findings, and nothing is raised for it.

    Args:
        folder: holds the request's files under their paths.
        statement: what its author says of it.
        limits: those in force.
    """
    try:
        size, content = _bytes(folder, statement.path, limits.file_bytes)
    except OSError:
        return FileRead(statement, 0, findings=(NOT_A_FILE.found(),))
    if content is None:
        found = TOO_LARGE.found(size=size, most=limits.file_bytes, numbers={"bytes": size, "most": limits.file_bytes})
        return FileRead(statement, size, findings=(found,))
    file = FileRead(statement, size, content=content)
    if digest(content) != statement.content:
        return replace(file, findings=(OTHER_BYTES.found(),))
    return _recognised(file, limits) if content else replace(file, findings=(EMPTY.found(),))


def _bytes(folder: Path, path: str, most: int) -> tuple[int, bytes | None]:
    """Size and content of an ordinary file in the folder; no content where it is too large. Follows no link."""
    place = folder
    for part in PurePosixPath(path).parts[:-1]:
        place = place / part
        if place.is_symlink():
            raise OSError("a link")
    descriptor = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not an ordinary file")
        return status.st_size, None if status.st_size > most else file.read(most)


def _recognised(file: FileRead, limits: Limits) -> FileRead:
    suffix = PurePosixPath(file.path).suffix.lower()
    if suffix not in FORMATS:
        mend = INSTEAD.get(suffix, f"Send one of: {', '.join(FORMATS)}.")
        return replace(file, findings=(NOT_ALLOWED.found(suffix=suffix or "without an ending", mend=mend),))
    form, kind = FORMATS[suffix]
    real = sniffing.form_of(file.content)
    if real not in sniffing.AGREES[form]:
        found = DISGUISED.found(suffix=suffix, real=sniffing.WORDS.get(real, real))
        return replace(file, findings=(found,))
    file = replace(file, kind=kind, form=form)
    if form in sniffing.BINARY:
        return file
    return _as_text(file, suffix, limits)


def _as_text(file: FileRead, suffix: str, limits: Limits) -> FileRead:
    try:
        text = file.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return replace(file, findings=(NOT_TEXT.found(why=f"byte {error.start} is not UTF-8"),))
    if control := _CONTROLS.search(text):
        return replace(file, findings=(NOT_TEXT.found(why=f"it holds the control character {ord(control[0])}"),))
    file = replace(file, text=text, findings=_invisible(text))
    match file.form:
        case "csv":
            return _as_table(file, suffix, limits)
        case "json" | "notebook":
            return _as_json(file, limits)
    return file


def _invisible(text: str) -> tuple[Finding, ...]:
    hidden = _INVISIBLE.findall(text)
    if not hidden:
        return ()
    names = sorted({unicodedata.name(mark, f"U+{ord(mark):04X}").lower() for mark in hidden})
    return (HIDDEN.found(count=len(hidden), names=", ".join(names[:4]), numbers={"characters": len(hidden)}),)


def _as_table(file: FileRead, suffix: str, limits: Limits) -> FileRead:
    text = file.text or ""
    try:
        return replace(file, table=read_delimited(text, delimiter_of(text, suffix), limits.table_cells))
    except TableError as error:
        return _unreadable(file, "a table", str(error))


def _as_json(file: FileRead, limits: Limits) -> FileRead:
    text = file.text or ""
    if _depth(text) > DEEPEST:
        return _unreadable(file, "JSON", f"it is nested more than {DEEPEST} deep")
    try:
        data: Any = json.loads(text, parse_constant=lambda word: word)
        table = None if file.form == "notebook" else read_json(data, limits.table_cells)
    except (ValueError, RecursionError) as error:
        return _unreadable(file, "JSON", str(error))
    if table is not None:
        return replace(file, data=data, table=table, kind="table")
    return replace(file, data=data, kind="model" if _is_graph(file.form, data) else file.kind)


def _is_graph(form: str, data: Any) -> bool:
    return form == "json" and isinstance(data, dict) and {"nodes", "weights", "output"} <= set(data)


def _depth(text: str) -> int:
    """How deep brackets nest; those in strings count, which is on the safe side."""
    deepest = depth = 0
    for mark in re.findall(r"[\[\]{}]", text):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _unreadable(file: FileRead, form: str, why: str) -> FileRead:
    return replace(file, findings=(*file.findings, UNREADABLE.found(form=form, why=why[:300])))
