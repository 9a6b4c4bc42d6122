"""For how long an audit log keeps what: a policy as data, and whether what was dropped from a log follows one.

Rules name parts of entries and years. Whoever verifies a log brings the policies that they know of: a log cannot
excuse by a policy of its own what is missing from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from flip_sdk.contract.log_entries import (
    REDUCED_EVENT,
    VERSION,
    commitment_line,
    hash_of,
    parts_of,
    reduced,
    to_row,
)
from flip_sdk.contract.records import SCHEMA_VERSION, Name, Record, Text

Part = Annotated[str, StringConstraints(pattern=r"^(actor|subject|details\.[a-z_]{1,60})$")]
Pattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z*][A-Za-z0-9_.*/ -]{0,80}$")]


class RetentionRule(Record):
    """What is reduced to its digest after some years.

    Attributes:
        name: of the rule.
        why: in words.
        years: that it is kept whole.
        parts: ``actor``, ``subject`` or ``details.<name>``.
        events: of which entries; ``*`` stands for any letters.
    """

    name: Name
    why: Text
    years: Annotated[int, Field(ge=1, le=100)]
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=100)]
    events: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=100)] = ("*",)


class Retention(Record):
    """A policy: what no rule names is kept for ever.

    Attributes:
        programs: who is no person, among those who do things; ``*`` stands for any letters.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    rules: Annotated[tuple[RetentionRule, ...], Field(max_length=50)]
    programs: Annotated[tuple[Pattern, ...], Field(max_length=100)] = ()

    def years(self, event: str, part: str) -> int | None:
        """How long that part of such an entry is kept; the longest, where several rules fit; None: for ever."""
        if event == REDUCED_EVENT and part != "actor":
            return None
        fitting = (one.years for one in self.rules if part in one.parts and _fits(event, one.events))
        return max(fitting, default=None)

    def due(self, entry: Mapping[str, Any], moment: datetime) -> list[str]:
        """Parts of an entry of version 2 that have been kept long enough."""
        return [name for name, value in parts_of(entry).items() if self._is_due(entry, name, value, moment)]

    @property
    def shortest(self) -> int:
        """The fewest years that anything is kept; younger entries need not be looked at."""
        return min((one.years for one in self.rules), default=100)

    def _is_due(self, entry: Mapping[str, Any], name: str, value: object, moment: datetime) -> bool:
        years = self.years(str(entry["event"]), name)
        if years is None or value in ("", None, [], {}):
            return False
        if name == "actor" and _fits(str(value), self.programs):
            return False
        return datetime.fromisoformat(str(entry["at"])) <= years_before(moment, years)


def years_before(moment: datetime, years: int) -> datetime:
    """The same day and time some years ago; of 29 February the day before."""
    try:
        return moment.replace(year=moment.year - years)
    except ValueError:
        return moment.replace(year=moment.year - years, day=28)


@dataclass
class Due:
    """What a policy lets go of a log by now.

    Attributes:
        parts: name of a part → in how many entries.
        old: entries of version 1, which stay whole.
    """

    entries: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    old: int = 0

    def words(self, name: str) -> Iterator[str]:
        """The same, a sentence a line; ``name`` is the policy's."""
        yield f"By the policy {name}, {self.entries} entries have parts to be reduced to their digests."
        yield from (f"  {part}: {times}" for part, times in sorted(self.parts.items()))
        if self.old:
            yield f"{self.old} entries were written before parts had digests of their own; they stay whole."


def due(entries: Iterable[dict[str, Any]], policy: Retention, moment: datetime) -> Due:
    """Count what would be reduced."""
    found = Due()
    for entry in entries:
        names = policy.due(entry, moment) if entry.get("version") == VERSION else []
        found.entries += bool(names)
        found.old += entry.get("version") != VERSION
        for name in names:
            found.parts[name] = found.parts.get(name, 0) + 1
    return found


def chosen(
    entries: Iterable[dict[str, Any]], policy: Retention, moment: datetime, most: int
) -> list[tuple[dict[str, Any], list[str]]]:
    """The first entries of which something is to be reduced, and which parts."""
    found: list[tuple[dict[str, Any], list[str]]] = []
    for entry in entries:
        if entry.get("version") == VERSION and (names := policy.due(entry, moment)):
            found.append((entry, names))
            if len(found) == most:
                break
    return found


def reduction(
    found: Sequence[tuple[dict[str, Any], list[str]]], policy: Retention, by: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What is written to reduce entries.

    Args:
        found: entries, oldest first, and the parts that go.
        policy: that lets them go.
        by: number of the entry that is about to tell of it.

    Returns:
        The entries' rows as they become, and the details of the entry that tells of it.

    Raises:
        ValueError: an entry is not what its hash says: nothing of it is let go, as it is evidence.
    """
    rows, told = [], hashlib.sha256()
    for entry, names in found:
        made = reduced(entry, names, by)
        if not hash_of(entry) == hash_of(made) == entry["hash"]:
            raise ValueError(f"entry {entry['sequence']} was changed after it was written")
        for name in sorted(names):
            told.update(commitment_line(entry["sequence"], name, made["reduced"][name]["digest"]))
        rows.append(to_row(made))
    details = {"policy": policy.digest(), "name": policy.name, "entries": len(rows), "what": told.hexdigest()}
    return rows, details | {"first": rows[0]["sequence"], "last": rows[-1]["sequence"]}


@dataclass
class _Told:
    """Parts that say they were dropped by one entry.

    Attributes:
        latest: (event, part) → the youngest entry that lost it, as ``at`` and number.
    """

    hash: Any = field(default_factory=hashlib.sha256)
    first: int = 0
    entries: int = 0
    latest: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)


class Judge:
    """Walks a log, and says what is missing from it that no policy lets go.

    Args:
        policies: that whoever verifies knows of.
        now: an entry of a later moment excuses nothing.

    Attributes:
        entries: that have been reduced.
        policies: names of those that were followed.
    """

    def __init__(self, policies: Sequence[Retention], now: datetime) -> None:
        self._policies = {one.digest(): one for one in policies}
        self._now = now
        self._open: dict[int, _Told] = {}
        self.entries = 0
        self.policies: set[str] = set()

    def take(self, entry: Mapping[str, Any]) -> Iterator[int]:
        """Look at the next entry. Yields numbers of entries that lost something which no policy lets go."""
        if entry["event"] == REDUCED_EVENT and (told := self._open.pop(entry["sequence"], None)):
            yield from self._judge(told, entry)
        if "reduced" in entry:
            self._remember(entry)

    def end(self) -> Iterator[int]:
        """What was dropped, and no entry tells of it."""
        for told in self._open.values():
            yield told.first

    def _remember(self, entry: Mapping[str, Any]) -> None:
        self.entries += 1
        seen = set()
        for name, one in sorted(entry["reduced"].items()):
            told = self._open.setdefault(int(one["by"]), _Told(first=entry["sequence"]))
            told.hash.update(commitment_line(entry["sequence"], name, one["digest"]))
            told.entries += one["by"] not in seen
            seen.add(one["by"])
            key = (str(entry["event"]), name)
            told.latest[key] = max(told.latest.get(key, ("", 0)), (str(entry["at"]), entry["sequence"]))

    def _judge(self, told: _Told, entry: Mapping[str, Any]) -> Iterator[int]:
        details, moment = entry["details"], datetime.fromisoformat(str(entry["at"]))
        policy = self._policies.get(str(details.get("policy")))
        said = (details.get("what"), details.get("entries"))
        if policy is None or said != (told.hash.hexdigest(), told.entries) or moment > self._now:
            yield told.first
            return
        self.policies.add(policy.name)
        for (event, name), (at, sequence) in told.latest.items():
            years = policy.years(event, name)
            if years is None or datetime.fromisoformat(at) > years_before(moment, years):
                yield sequence


def _fits(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
