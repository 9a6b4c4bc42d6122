"""Files within files: an output of a notebook or a picture in a drawing is checked like a file of its kind."""

from __future__ import annotations

from collections.abc import Iterator

from flip_sdk.contract.airlock import FileKind, Finding

from flip_hub.airlock.checks.rules import MOST_WORDS, FileRead, Subject
from flip_hub.airlock.checks.sniffing import BINARY, form_of
from flip_hub.airlock.checks.tables import Table

_OF_THE_WHOLE = ("result.", "text.named_after", "image.no_counts_behind", "image.counts_behind")
"""Rules that are told of the whole file, and not again of each part."""


def check_nested(
    subject: Subject,
    where: str,
    *,
    kind: FileKind,
    form: str,
    content: bytes = b"",
    text: str | None = None,
    table: Table | None = None,
) -> Iterator[Finding]:
    """Run the checks of a kind on a part of a file.

    Args:
        subject: the file.
        where: put before each message.
        kind: of the part.
        form: its format.
        content: its bytes, for images.
        text: of text and drawings.
        table: of tables.
    """
    from flip_hub.airlock.checks.images import BROKEN
    from flip_hub.airlock.checks.registry import run

    if form in BINARY and form_of(content) != form:
        yield _placed(BROKEN.found(why=f"it is no {form.upper()}"), where)
        return
    statement = subject.statement.model_copy(update={"counts": (), "variables": ()})
    part = FileRead(statement, len(content), kind, form, content, text, None, table)
    for finding in run(Subject(part, subject.past, subject.others)):
        if not finding.rule.startswith(_OF_THE_WHOLE):
            yield _placed(finding, where)


def _placed(finding: Finding, where: str) -> Finding:
    return finding.model_copy(update={"message": (where + finding.message)[:MOST_WORDS], "cells": ()})
