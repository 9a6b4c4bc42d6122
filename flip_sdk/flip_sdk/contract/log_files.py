"""Exported audit logs and published roots as files: read, verified with public keys alone, and told in words.

An export holds one entry a line, and in its last line a signed root over all of them: cut short, it no longer fits.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flip_sdk.contract.log_check import Verdict, check
from flip_sdk.contract.logs import LogRoot, PublishedRoots
from flip_sdk.contract.notices import SignedNotice, WitnessNotice
from flip_sdk.contract.retention import Retention
from flip_sdk.contract.signatures import PublicKey, SigningKey, signer_of, verify
from flip_sdk.errors import PublicError

FOOTER = "signed_root"


def footer(key: SigningKey, log: str, size: int, root: str, now: datetime) -> str:
    """An export's last line: the root over all its entries, signed by whose log it is."""
    made = LogRoot(log=log, day=now.date(), size=size, root=root, issued_at=now)
    return json.dumps({FOOTER: key.sign(made)})


class Export:
    """The entries of an exported file, in its order; ``footer`` is known once they were read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.footer = ""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each line's entry; what is none is an empty one."""
        for line in self._lines:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {}
            if isinstance(entry, dict) and isinstance(entry.get(FOOTER), str):
                self.footer = entry[FOOTER]
                continue
            yield entry if isinstance(entry, dict) else {}


@dataclass
class Evidence:
    """What others know of a log.

    Attributes:
        roots: that were signed by whose log it is, or by a witness.
        keys: owner (``hub``, ``trust/<name>``) → public key.
        witnesses: day → who countersigned its root.
        troubles: signatures that do not verify, in words.
        policies: of retention, that whoever verifies knows of.
    """

    roots: list[LogRoot] = field(default_factory=list)
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    witnesses: dict[str, list[str]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    policies: tuple[Retention, ...] = ()


def evidence_of(content: bytes | str, log: str, pinned: Mapping[str, PublicKey] | None = None) -> Evidence:
    """Read a file of published roots, and verify every signature that concerns one log.

    Args:
        content: of the file.
        log: whose log.
        pinned: keys that are known from elsewhere; they go before those of the file.

    Raises:
        RecordError: it is no such file.
    """
    published = PublishedRoots.parse(content)
    keys = {one.owner: PublicKey(one.key) for one in published.keys} | dict(pinned or {})
    evidence = Evidence(keys=keys)
    for one in published.roots:
        if one.root.log == log:
            _add(evidence, log, one.signed, one.seen)
    return evidence


def check_file(lines: Iterable[str], evidence: Evidence, key: PublicKey | None = None) -> tuple[Verdict, list[str]]:
    """Verify an exported log with what others know of it.

    Returns:
        What was found, and what else is to be said: how far signatures could be verified.
    """
    export = Export(lines)
    verdict = check(export, evidence.roots, evidence.policies)
    notes = list(evidence.troubles)
    if not export.footer:
        return verdict, [*notes, "The file does not end with a signed root: whether its end is missing is not known."]
    signed_by = key
    try:
        root = verify(export.footer, signed_by, LogRoot) if signed_by else None
    except PublicError:
        return verdict, [*notes, "The signed root in the file's last line is not by the key that it is verified with."]
    if root is None:
        notes.append("The signature in the file's last line was not verified: no key is known.")
        root = _unverified(export.footer)
    if root is not None and (root.size, root.root) != (verdict.count, verdict.root):
        notes.append(f"The file was signed with {root.size} entries and another content than it has now.")
    return verdict, notes


NOTES_THAT_CONVICT = ("The file was signed with", "The signed root in", "A signature", "A countersignature")


def is_whole(verdict: Verdict, notes: Iterable[str]) -> bool:
    """Whether nothing at all is wrong."""
    return verdict.whole and not any(note.startswith(NOTES_THAT_CONVICT) for note in notes)


def _add(evidence: Evidence, log: str, signed: str, seen: tuple[str, ...]) -> None:
    try:
        root = verify(signed, evidence.keys[log], LogRoot)
    except (PublicError, KeyError):
        evidence.troubles.append("A signature of a published root does not verify.")
        return
    evidence.roots.append(root)
    for statement in seen:
        try:
            owner, key = signer_of(statement, evidence.keys)
            notice = verify(statement, key, SignedNotice).notice
        except PublicError:
            evidence.troubles.append(f"A countersignature of {root.day} does not verify.")
            continue
        if isinstance(notice, WitnessNotice) and owner == f"trust/{notice.trust}":
            evidence.witnesses.setdefault(str(notice.day), []).append(notice.trust)
            if (notice.size, notice.root) != (root.size, root.root):
                told = {"day": notice.day, "size": notice.size, "root": notice.root}
                evidence.roots.append(root.model_copy(update=told))


def _unverified(signed: str) -> LogRoot | None:
    try:
        body = signed.split(".")[1].replace("-", "+").replace("_", "/")
        return LogRoot.parse(binascii.a2b_base64(body + "=" * (-len(body) % 4)))
    except (PublicError, ValueError, IndexError):
        return None


def in_words(verdict: Verdict, notes: Iterable[str], evidence: Evidence) -> list[str]:
    """What was found, a sentence a line."""
    found = [finding.words() for finding in verdict.findings]
    if is_whole(verdict, notes):
        found = [f"The audit log is whole: {verdict.count} entries, the last with hash {verdict.last}."]
        found.append(f"The root of its Merkle tree is {verdict.root}.")
    else:
        first = f", first at entry {verdict.findings[0].sequence}" if verdict.findings else ""
        found.insert(0, f"The audit log is broken{first} ({verdict.count} entries were read):")
    if verdict.policies:
        by = ", ".join(verdict.policies)
        found.append(f"{verdict.reduced} entries have details reduced to digests, by the retention policy {by}.")
    for day in sorted(set(verdict.confirmed)):
        by = ", ".join(sorted(set(evidence.witnesses.get(day, [])))) or "nobody else"
        found.append(f"It has the root that was published on {day}, countersigned by {by}.")
    return [*found, *notes]


def log_of(lines: Iterable[str]) -> str:
    """Whose log an exported file says that it is; ``hub`` where its last line is not there."""
    export = Export(lines)
    for _ in export:
        pass
    root = _unverified(export.footer)
    return root.log if root else "hub"
