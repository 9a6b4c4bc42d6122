"""Counts by their categories, however the table lies: rows of categories, columns of categories, totals among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from flip_hub.airlock.checks.counting import ALL, Counted, category, spoken

ACROSS = "columns"
"""The dimension of a table's columns of counts, where there are several."""
ROWS = "rows"
"""The dimension of a table that is broken down by nothing that it names."""
MOST_ITEMS = 20_000
_TAKEN = "called a total"

Key = tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """One count.

    Attributes:
        row: where it is.
        column: where it is.
        number: None where it is kept back.
    """

    row: int
    column: int
    number: float | None


@dataclass(frozen=True)
class Sum:
    """A sum that others can take.

    Attributes:
        known: of the counts that are told.
        kept_back: how many are not.
        items: what it is made of.
    """

    known: float
    kept_back: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Equation:
    """A total and its parts."""

    total: Item
    parts: tuple[Item, ...]


@dataclass(frozen=True)
class Grid:
    """Counts by category.

    Attributes:
        names: of the dimensions, each column name in words; ``columns`` last where several columns are counts.
        items: every count by its categories.
    """

    names: Key
    items: Mapping[Key, Item]

    @classmethod
    def of(cls, counted: Counted) -> Grid:
        """Of a table with its counts."""
        table, several = counted.table, len(counted.columns) > 1
        dimensions = tuple(spoken(table.columns[c]) for c in counted.dimensions)
        names = (dimensions or (ROWS,)) + ((ACROSS,) if several else ())
        items: dict[Key, Item] = {}
        for row, cells in enumerate(table.cells[: MOST_ITEMS // max(1, len(counted.columns))]):
            labels = _labels([table.rows[row][c] for c in counted.dimensions]) if dimensions else (str(row),)
            for column in counted.columns:
                if cells[column].counts or cells[column].suppressed:
                    key = (*labels, category(table.columns[column])) if several else labels
                    items[_free(key, items)] = Item(row, column, cells[column].number)
        return cls(names, items)

    @cached_property
    def variables(self) -> frozenset[str]:
        """The dimensions that are variables."""
        return frozenset(self.names) - {ACROSS, ROWS}

    def categories(self, name: str) -> frozenset[str]:
        """What a dimension divides into, totals left out."""
        place = self.names.index(name)
        return frozenset(key[place] for key in self.items) - {ALL}

    def named_like(self, other: Grid) -> Grid:
        """The same counts, with the columns named by the variable of another table that has them as categories."""
        if ACROSS not in self.names:
            return self
        mine = self.categories(ACROSS)
        alike = [name for name in sorted(other.variables - self.variables) if mine <= other.categories(name)]
        return Grid((*self.names[:-1], alike[0]), self.items) if alike and mine else self

    def groups(self, dimension: int) -> Iterator[dict[str, Item]]:
        """Counts that differ in one dimension alone, by their category in it."""
        groups: dict[Key, dict[str, Item]] = defaultdict(dict)
        for key, item in self.items.items():
            groups[(*key[:dimension], *key[dimension + 1 :])][key[dimension]] = item
        yield from groups.values()

    def equations(self) -> Iterator[Equation]:
        """Every total that is told, with its parts."""
        for dimension in range(len(self.names)):
            for group in self.groups(dimension):
                parts = tuple(item for name, item in group.items() if name != ALL)
                if ALL in group and len(parts) > 1:
                    yield Equation(group[ALL], parts)

    @cached_property
    def _margins(self) -> dict[frozenset[str], dict[Key, tuple[Sum, ...]]]:
        return {}

    @cached_property
    def readings(self) -> tuple[Grid, ...]:
        """These counts, and the same with totals that are not the sum of their parts taken for categories.

        Whatever a row is called, only its number says whether it can be a total.
        """
        odd = [dimension for dimension in range(len(self.names)) if any(map(_no_total, self.groups(dimension)))]
        if not odd:
            return (self,)
        items: dict[Key, Item] = {}
        for key, item in self.items.items():
            named = tuple(_TAKEN if name == ALL and place in odd else name for place, name in enumerate(key))
            items[_free(named, items)] = item
        return self, Grid(self.names, items)

    def margin(self, kept: frozenset[str]) -> dict[Key, tuple[Sum, ...]]:
        """Sums over every dimension but those named, by categories of these in alphabetical order.

        Of its parts, and as a total that is told: they need not agree. The dimension ``columns`` is summed only where
        it has a total of its own: columns may count the same persons.
        """
        if kept not in self._margins:
            self._margins[kept] = self._margin(kept)
        return self._margins[kept]

    def _margin(self, kept: frozenset[str]) -> dict[Key, tuple[Sum, ...]]:
        places = [self.names.index(name) for name in sorted(kept)]
        parts: dict[Key, list[Item]] = defaultdict(list)
        totals: dict[Key, Item] = {}
        across = ACROSS in self.names and ACROSS not in kept
        for key, item in self.items.items():
            wanted = tuple(key[place] for place in places)
            away = [name for place, name in enumerate(key) if place not in places]
            if ALL in wanted or (across and key[-1] != ALL):
                continue
            free = away[:-1] if across else away
            if all(name == ALL for name in free):
                totals[wanted] = item
            elif ALL not in free:
                parts[wanted].append(item)
        return {wanted: tuple(_sums(parts.get(wanted, []), totals.get(wanted))) for wanted in {*parts, *totals}}

    @cached_property
    def everybody(self) -> Item | None:
        """The total of all."""
        return self.items.get((ALL,) * len(self.names)) if self.names else None


def _free(key: Key, taken: Mapping[Key, Item]) -> Key:
    """The key, or one beside it: a second row of the same categories is not lost behind the first."""
    free, number = key, 1
    while free in taken:
        number += 1
        free = (*key[:-1], f"{key[-1]}, {number}")
    return free


def _no_total(group: Mapping[str, Item]) -> bool:
    """Whether what is called the total of a group counts others than its parts."""
    parts = [item.number for name, item in group.items() if name != ALL]
    total = group[ALL].number if ALL in group else None
    if total is None or not parts:
        return False
    rest = total - sum(number or 0.0 for number in parts)
    return rest < 0 or (rest > 0 and None not in parts)


def _labels(labels: list[str]) -> Key:
    """Categories of a row; what is left empty beside a total is a total too."""
    named = [category(label) for label in labels]
    return tuple(ALL if ALL in named and not name else name for name in named)


def _sums(parts: list[Item], total: Item | None) -> Iterator[Sum]:
    if parts:
        kept_back = sum(1 for item in parts if item.number is None)
        yield Sum(sum(item.number or 0.0 for item in parts), kept_back, tuple(parts))
    if total is not None and total.number is not None:
        yield Sum(total.number, 0, (total,))
