"""What acro said of a table when it was made: shown beside our own checks, never instead of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.rules import Check, FileRead, Rule, Subject

SAID = Rule(
    "acro.summary", "note", "acro {version} said of this output when it was made: {status}. {summary}{exception}"
)
FEDERATED = Rule(
    "acro.evidence",
    "block",
    "This is the evidence that acro collects for others to check, with raw counts and largest values: it never leaves.",
    "Leave it out.",
)
NAMES = ("results.json", "evidence.json")


def _acro(subject: Subject) -> Iterator[Finding]:
    if is_evidence(subject.file.data):
        yield FEDERATED.found()
    for session in subject.others.values():
        if not _is_session(session):
            continue
        own = PurePosixPath(subject.file.path)
        for record in session.data["results"].values():
            files = record.get("files", []) if isinstance(record, dict) else []
            names = {file.get("name") for file in files if isinstance(file, dict)}
            if own.name in names and own.parent == PurePosixPath(session.path).parent:
                yield _said(session.data, record)


def _is_session(file: FileRead) -> bool:
    return (
        PurePosixPath(file.path).name == NAMES[0]
        and isinstance(file.data, dict)
        and isinstance(file.data.get("results"), dict)
    )


def is_evidence(data: Any) -> bool:
    """Whether it is what acro writes in its federated mode."""
    return (
        isinstance(data, dict)
        and ("evidence" in data or data.get("mode") == "federated")
        and "acro" in str(data)[:500].lower()
    )


def _said(session: Mapping[str, Any], record: Mapping[str, Any]) -> Finding:
    exception = str(record.get("exception") or "")
    return SAID.found(
        version=_plain(session.get("version", ""), 20),
        status=_plain(record.get("status", "nothing"), 20),
        summary=_plain(record.get("summary", ""), 1_500),
        exception=f" Its author asked for an exception: {_plain(exception, 500)}" if exception else "",
    )


def _plain(value: object, most: int) -> str:
    return re.sub(r"\s+", " ", str(value)).strip()[:most]


CHECKS = (
    Check(
        "acro's own words",
        frozenset({"table", "image", "text"}),
        _acro,
        "What acro said of an output when it was made, where its results.json is in the request.",
    ),
)
