"""Who a message is about, through merges: whose the rows are now, and by whom their ids were made.

An id is made out of the person that a number was first linked to, so that a message that is mapped again, before a
merge or after, gets the id that it had. A message about the survivor may go on with what came under the other number
(a visit's end, a corrected result): an id that is in use for any of the merged persons is kept to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import links
from flip_trust.ingest.events import MOST_TARGETS, UnusableError
from flip_trust.ingest.mapping import EVENT_TABLES

_OTHER_TABLES = ("visit_occurrence", "image_order")
DIFFERENT = "its numbers are of different persons here: mend the identifiers at their source, or send their merge (A40)"


@dataclass(frozen=True)
class Who:
    """A person, for the rows of one message.

    Attributes:
        person_id: who they are now.
        same: every person that is this one, who the message's number was first linked to before the others.
        in_use: ids of rows of merged persons; those that are made are added.
    """

    person_id: int
    same: tuple[int, ...]
    in_use: set[int] = field(repr=False)

    @property
    def is_survivor(self) -> bool:
        """Whether the message names the person by a number of their own, not of one who was merged into them."""
        return self.same[0] == self.person_id

    def number(self, make: Callable[[int], int]) -> int:
        """An id, made out of a person's."""
        ids = [make(person) for person in self.same]
        chosen = next((one for one in ids if one in self.in_use), ids[0])
        self.in_use.add(chosen)
        return chosen


class Identities:
    """Who every number stands for, while messages are read; new numbers and merges are kept until they are written.

    Args:
        home: the Trust's home.
        keyed: for the numbers' keys.
    """

    def __init__(self, home: Path, keyed: Keyed) -> None:
        self._home, self._keyed = home, keyed
        self._first = links.first_numbers(home)
        self._now = links.merged(home / "omop")
        self._same: dict[int, list[int]] = defaultdict(list)
        for gone, kept in self._now.items():
            self._same[kept].append(gone)
        self._in_use: set[int] = set()
        self._new: list[tuple[str, int, int]] = []

    def keys_of(self, numbers: Iterable[str]) -> list[int]:
        """The keys of a patient's numbers."""
        return [links.key_of(self._keyed, number) for number in numbers]

    def remember(self, merging: Iterable[Sequence[int]]) -> None:
        """Read the ids that are in use for merged persons, and for those with these keys, who are about to be."""
        keys = [key for group in merging for key in group]
        persons = {*self._now, *self._now.values(), *(self._first[key] for key in keys if key in self._first)}
        self._in_use = set(_ids_of(self._home / "omop", persons)) if persons else set()

    def guess(self, keys: Sequence[int]) -> Who | None:
        """Who these keys seem to be, with no id in use; None where they are different persons, or merged ones."""
        persons = {self._first[key] for key in keys if key in self._first} or {keys[0]}
        own = persons.pop()
        alone = not persons and own not in self._now and own not in self._same
        return Who(own, (own,), set()) if alone else None

    def find(self, keys: Sequence[int]) -> Who:
        """Who is known by these keys; somebody new, where none is known.

        Raises:
            UnusableError: they are different persons'.
        """
        known = [self._first[key] for key in keys if key in self._first]
        persons = {self._end(person) for person in known}
        if len(persons) > 1:
            raise UnusableError(DIFFERENT)
        own = known[0] if known else keys[0]
        self._link(keys, own)
        now = self._end(own)
        others = [one for one in (now, *sorted(self._same[now])) if one != own] if now in self._same else []
        return Who(now, (own, *others), self._in_use)

    def merge(self, kept_keys: Sequence[int], gone_keys: Sequence[int]) -> None:
        """Make everyone with a key of the latter the person of the former.

        Raises:
            UnusableError: the former are still different persons'.
        """
        self._link(gone_keys, next((self._first[key] for key in gone_keys if key in self._first), gone_keys[0]))
        prior = {self._end(self._first[key]) for key in gone_keys}
        known = {self._end(self._first[key]) for key in kept_keys if key in self._first}
        if len(known - prior) > 1:
            raise UnusableError(DIFFERENT)
        new = [key for key in kept_keys if key not in self._first]
        # all known as the one who goes: it is merged already, or the number is new
        survivor = next(iter(known - prior), None) or (new[0] if new else self._end(self._first[kept_keys[0]]))
        self._link(new, survivor)
        for person in prior - {survivor}:
            self._join(person, survivor)

    def taken(self) -> list[tuple[str, int, int]]:
        """The new links, once."""
        new, self._new = self._new, []
        return new

    def _join(self, person: int, survivor: int) -> None:
        self._now[person] = survivor
        self._same[survivor] += [person, *self._same.pop(person, [])]
        self._new.append((links.MERGED, person, survivor))

    def _link(self, keys: Iterable[int], person: int) -> None:
        for key in keys:
            if key not in self._first:
                self._first[key] = person
                self._new.append((links.NUMBER, key, person))

    def _end(self, person: int) -> int:
        while person in self._now:
            person = self._now[person]
        return person


def _ids_of(folder: Path, persons: set[int]) -> Iterable[int]:
    wanted = pl.LazyFrame({"person_id": list(persons)}, schema={"person_id": pl.Int64})
    for name in (*EVENT_TABLES, *_OTHER_TABLES):
        path = folder / f"{name}.parquet"
        if not path.exists():
            continue
        theirs = pl.scan_parquet(path).with_columns(pl.col("person_id").cast(pl.Int64))
        ids = theirs.join(wanted, on="person_id", how="semi").select(pl.col(f"{name}_id").cast(pl.Int64)).collect()
        for (number,) in ids.iter_rows():
            yield number & ~(MOST_TARGETS - 1) if name in EVENT_TABLES else number
