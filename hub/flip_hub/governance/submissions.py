"""Submitted applications, each kept whole, and what is different between two of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from flip_sdk.contract.applications import Application
from flip_sdk.contract.filling import Entry as TypedEntry
from flip_sdk.contract.filling import Value, raw_of
from flip_sdk.contract.form import FIELDS
from flip_sdk.contract.form_fields import FormField
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Project, Submission, now
from flip_hub.errors import MissingError

Act = Literal["same", "added", "removed"]
_WORD = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True)
class Piece:
    """Some words of a text, or an entry of a list, and what became of it."""

    act: Act
    text: str


@dataclass(frozen=True)
class Change:
    """A field that differs.

    Attributes:
        as_list: whether the pieces are entries of a list, not words of a text.
    """

    field: FormField
    pieces: tuple[Piece, ...]
    as_list: bool


def keep(session: Session, project: Project, by: str) -> None:
    """Keep the application as it is submitted now."""
    session.add(
        Submission(
            project_id=project.project_id,
            version=project.version,
            application=project.application,
            submitted_by=by,
            submitted_at=now(),
        )
    )


def submissions(session: Session, project: Project) -> list[Submission]:
    """Every submission of a project, oldest first."""
    chosen = select(Submission).where(Submission.project_id == project.project_id).order_by(Submission.version)
    return list(session.scalars(chosen))


def submitted(session: Session, project: Project, version: int | None = None) -> Submission:
    """One submission; the newest unless told.

    Raises:
        MissingError: it was never submitted, or not that often.
    """
    found = session.get(Submission, (project.project_id, version or project.version))
    if found is None:
        mend = f"There are {project.version}." if project.version else "It was not submitted yet."
        raise MissingError(f"Project {project.project_id} has no submission {version or project.version}.", mend)
    return found


def differences(before: Application, after: Application) -> list[Change]:
    """What changed from one application to another, in the form's order."""
    old, new = raw_of(before), raw_of(after)
    return [_change(field, old[name], new[name]) for name, field in FIELDS.items() if old[name] != new[name]]


def lines_of(field: FormField, value: Value) -> list[str]:
    """A list's entries as people read them, one a line."""
    if field.kind == "lines":
        return str(value).splitlines()
    return [_entry(field, one) if isinstance(one, dict) else field.words(one) for one in value]


def words_of(field: FormField, value: Value) -> str:
    """A single value as people read it."""
    if field.kind in {"date", "end"} and value:
        return date.fromisoformat(str(value)).strftime("%-d %B %Y")
    return field.words(str(value)) if field.kind == "choice" else str(value)


def _change(field: FormField, old: Value, new: Value) -> Change:
    if field.kind in {"choices", "people", "trusts", "lines", "entries"}:
        return Change(field, tuple(_compared(lines_of(field, old), lines_of(field, new))), as_list=True)
    if field.kind != "text":
        pieces = (Piece("removed", words_of(field, old)), Piece("added", words_of(field, new)))
        return Change(field, tuple(piece for piece in pieces if piece.text), as_list=False)
    return Change(field, tuple(_compared(_WORD.findall(str(old)), _WORD.findall(str(new)), "")), as_list=False)


def _compared(old: Sequence[str], new: Sequence[str], joined: str | None = None) -> Iterator[Piece]:
    """What became of each, in order; with ``joined``, neighbours of one fate are put together by it."""
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        runs: tuple[tuple[Act, Sequence[str]], ...] = (
            (("same", old[a:b]),) if tag == "equal" else (("removed", old[a:b]), ("added", new[c:d]))
        )
        for act, run in runs:
            yield from (Piece(act, text) for text in ([joined.join(run)] if joined is not None and run else run))


def _entry(field: FormField, entry: TypedEntry) -> str:
    told = []
    for part in field.parts:
        value = entry.get(part.name, "")
        text = ", ".join(map(part.words, value)) if isinstance(value, list) else words_of(part, value)
        if text:
            told.append(part.label if part.kind == "flag" else f"{part.label}: {text}")
    return "; ".join(told)
