"""All checks over all files of a request: pure, files in and findings out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flip_sdk.contract.airlock import Examined, Finding, OutputStatement, verdict_of

from flip_hub.airlock.checks.past import Past
from flip_hub.airlock.checks.reading import read_file
from flip_hub.airlock.checks.registry import run
from flip_hub.airlock.checks.rules import FileRead, Rule, Subject

TOO_MUCH = Rule(
    "format.too_much",
    "block",
    "The request has {size:,} bytes in all; {most:,} are looked at.",
    "Ask for fewer files at a time.",
)
SAME_BYTES = Rule(
    "release.same_bytes", "note", "People approved this very file before.", "Nothing: it is the same to the last byte."
)
STAYS = Rule("format.stays", "note", "This file helps the checkers and does not leave.")
_OF_THE_CONTENT = ("format.", "secret.")
"""Rules that hold for files that stay, too: checkers open them."""
NOISY = frozenset({"result.all_numbers", "result.the_file"})
"""Rules by which every number of a file had noise added to it."""
OF_EXACT_NUMBERS = frozenset(
    {
        *("table.small_count", "table.unrounded", "table.recoverable", "table.small_remainder", "table.all_in_one"),
        *("table.all_or_none", "table.extreme", "table.no_counts_behind", "text.small_number"),
        *("text.small_number_in_json", "text.numbers_in_json"),
        *("release.differs_by_few", "release.close_edges"),
    }
)
"""Rules about numbers that are exact; in a file of noisy ones they inform."""


def examine(folder: Path, statements: Sequence[OutputStatement], past: Past) -> tuple[Examined, ...]:
    """Check every file of a request.

    Args:
        folder: holds the request's files under their paths.
        statements: what its author says of each.
        past: what was released before, results and models that are known, and the limits.

    Returns:
        One record a file, in the statements' order. What is wrong with a file never raises; a file that breaks a
        decoder may: ``flip_hub.airlock.checks.running`` keeps that to the one file.
    """
    files = {statement.path: read_file(folder, statement, past.limits) for statement in statements}
    return tuple(examine_one(file, files, past) for file in files.values())


def examine_one(file: FileRead, files: Mapping[str, FileRead], past: Past) -> Examined:
    """Check one file that was read, beside the others of its request."""
    began = time.perf_counter()
    others = {path: other for path, other in files.items() if path != file.path}
    findings = [*file.findings, *_of_the_request(file, files, past)]
    if file.kind is not None and not any(finding.severity == "block" for finding in findings):
        subject = Subject(file, past, others)
        findings += run(subject)
    if any(finding.rule in NOISY for finding in findings):
        findings = [softened(f) if f.rule in OF_EXACT_NUMBERS else f for f in findings]
    if not file.statement.leaves:
        findings = [STAYS.found(), *(f if f.rule.startswith(_OF_THE_CONTENT) else softened(f) for f in findings)]
    return Examined(
        path=file.path,
        content=file.statement.content,
        bytes=file.size,
        kind=file.kind,
        findings=tuple(findings),
        verdict=verdict_of(findings),
        seconds=round(time.perf_counter() - began, 4),
    )


def _of_the_request(file: FileRead, files: Mapping[str, FileRead], past: Past) -> Iterator[Finding]:
    size, most = sum(other.size for other in files.values()), past.limits.request_bytes
    if size > most:
        yield TOO_MUCH.found(size=size, most=most, numbers={"bytes": size, "most": most})
    if file.statement.content in past.approved:
        yield SAME_BYTES.found()


def softened(finding: Finding) -> Finding:
    """The same finding as a note."""
    return finding.model_copy(update={"severity": "note"})
