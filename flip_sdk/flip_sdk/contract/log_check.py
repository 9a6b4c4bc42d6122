"""Verifying an exported audit log alone, without the program that wrote it: what was done to it, by name.

The chain of hashes shows what was changed, left out, added or moved. Whoever rewrites a log can reckon all hashes anew:
then the roots that were published, and that others countersigned, show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from flip_sdk.contract.log_entries import GENESIS, hash_of
from flip_sdk.contract.logs import LogRoot
from flip_sdk.contract.merkle import Growing
from flip_sdk.contract.retention import Judge, Retention

Kind = Literal["altered", "missing", "duplicated", "reordered", "truncated", "rewritten", "dropped", "unreadable"]
WORDS: dict[Kind, str] = {
    "altered": "was changed after it was written",
    "missing": "is missing",
    "duplicated": "is there more than once",
    "reordered": "is not in its place",
    "truncated": "is missing at the end",
    "rewritten": "or one before it is not what it was when the root was published",
    "dropped": "lost details that no policy of retention known here lets go",
    "unreadable": "is not an entry of an audit log",
}
MOST_FINDINGS = 1000


@dataclass(frozen=True)
class Finding:
    """What is wrong with an entry.

    Attributes:
        sequence: of the entry; of the first one, where it is several.
        last: of the last one.
        day: of the published root that shows it.
    """

    kind: Kind
    sequence: int
    last: int = 0
    day: str = ""

    def words(self) -> str:
        """The finding as a sentence."""
        which = (
            f"Entry {self.sequence}" if self.last <= self.sequence else f"Each of entries {self.sequence}–{self.last}"
        )
        root = f" (root of {self.day})" if self.day else ""
        return f"{which} {WORDS[self.kind]}{root}."


@dataclass
class Verdict:
    """What was found.

    Attributes:
        count: entries read.
        last: hash of the last one.
        root: of the Merkle tree over all of them, in the order of the file.
        confirmed: days whose published root is this log's.
        reduced: entries that lost details; ``policies`` names those that let them go.
    """

    count: int = 0
    last: str = GENESIS
    root: str = ""
    findings: list[Finding] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    reduced: int = 0
    policies: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def check(
    entries: Iterable[dict[str, Any]],
    roots: Sequence[LogRoot] = (),
    policies: Sequence[Retention] = (),
    now: datetime | None = None,
) -> Verdict:
    """Verify a log.

    Args:
        entries: as exported, oldest first.
        roots: this log's, whose signatures were verified.
        policies: by which details may have been dropped; without one, none may.
        now: the moment of verifying.
    """
    walk = _Walk(sorted(roots, key=lambda root: root.size), Judge(policies, now or datetime.now(UTC)))
    for entry in entries:
        walk.take(entry)
    return walk.end()


class _Walk:
    def __init__(self, roots: list[LogRoot], judge: Judge) -> None:
        self._roots, self._judge, self._verdict, self._tree = roots, judge, Verdict(), Growing()
        self._seen: dict[int, str] = {}
        self._due, self._highest = 1, 0
        self._absent: set[int] = set()
        self._roots_at(0)

    def take(self, entry: dict[str, Any]) -> None:
        verdict = self._verdict
        verdict.count += 1
        sequence, given = entry.get("sequence"), entry.get("hash")
        try:
            reckoned = hash_of(entry)
            dropped = list(self._judge.take(entry))
        except (ValueError, TypeError, KeyError, AttributeError):
            reckoned, dropped = "", []
        if not reckoned or not isinstance(sequence, int) or not isinstance(given, str):
            self._find("unreadable", verdict.count)
            return
        if reckoned != given:
            self._find("altered", sequence)
        for number in dropped:
            self._find("dropped", number)
        self._place(sequence, str(entry["previous"]))
        self._seen[sequence] = given
        verdict.last = given
        self._tree.add(given)
        self._roots_at(self._tree.size)

    def end(self) -> Verdict:
        verdict = self._verdict
        verdict.root = self._tree.root()
        for first, last in _runs(sorted(self._absent)):
            self._find("missing", first, last)
        for root in self._roots:
            self._find("truncated", self._highest + 1, root.size, str(root.day))
        for number in self._judge.end():
            self._find("dropped", number)
        verdict.reduced, verdict.policies = self._judge.entries, tuple(sorted(self._judge.policies))
        verdict.findings.sort(key=lambda finding: finding.sequence)
        return verdict

    def _place(self, sequence: int, previous: str) -> None:
        if sequence in self._seen:
            self._find("duplicated", sequence)
        elif sequence in self._absent:
            self._absent.discard(sequence)
            self._find("reordered", sequence)
        elif sequence > self._due:
            self._absent.update(range(self._due, min(sequence, self._due + MOST_FINDINGS)))
        before = self._seen.get(sequence - 1, GENESIS if sequence == 1 else previous)
        if before != previous:
            # its own hash was reckoned anew, but the entry after it still names the one it had
            self._find("altered", max(sequence - 1, 1))
        self._highest = max(self._highest, sequence)
        self._due = self._highest + 1

    def _roots_at(self, size: int) -> None:
        while self._roots and self._roots[0].size == size:
            root = self._roots.pop(0)
            if root.root == self._tree.root():
                self._verdict.confirmed.append(str(root.day))
            else:
                self._find("rewritten", size, day=str(root.day))

    def _find(self, kind: Kind, sequence: int, last: int = 0, day: str = "") -> None:
        if len(self._verdict.findings) < MOST_FINDINGS:
            self._verdict.findings.append(Finding(kind, sequence, last, day))


def orders_not_in(hub: Iterable[dict[str, Any]], trust: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of a Trust's log about orders whose job the hub's log does not know as signed off, or asked otherwise.

    In its own log the hub asked for nothing, or for something harmless, and the Trust was asked for this: the hub's
    log is not whole.
    """
    signed_off, asked = set[str](), dict[str, Any]()
    for entry in hub:
        if entry["event"] == "job.signed_off":
            signed_off.add(str(entry["subject"]))
        elif entry["event"] == "job.submitted":
            asked[str(entry["subject"])] = entry["details"].get("spec")
    return [entry for entry in trust if entry["event"] in ORDERED and _is_hidden(entry["details"], signed_off, asked)]


def _is_hidden(order: dict[str, Any], signed_off: set[str], asked: dict[str, Any]) -> bool:
    if not (job := order.get("job")):
        return False
    # entries of earlier versions do not say what was asked
    is_another = "spec" in order and asked.get(f"job/{job}") != order["spec"]
    return f"job/{job}" not in signed_off or is_another


ORDERED = ("task.offered", "task.refused")
"""Events of a Trust's log that say it received a signed order."""


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    start = last = None
    for number in numbers:
        if start is None or last is None or number != last + 1:
            if start is not None and last is not None:
                yield start, last
            start = number
        last = number
    if start is not None and last is not None:
        yield start, last
