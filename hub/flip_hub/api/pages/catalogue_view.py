"""What a catalogue's page shows: some Trusts' catalogues, put together, searched and cut into pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import groupby

from flip_sdk.catalogue import Catalogue, Concept
from flip_sdk.contract.api import TrustCatalogue
from flip_sdk.contract.holdings import YEARS, HeldTable, QualityHolding, TableHolding
from flip_sdk.held import persons_by_concept, words

ON_A_PAGE = 20
_FEWEST_YEARS = 10


@dataclass(frozen=True)
class Asked:
    """What a visitor chose; empty is everything.

    Attributes:
        find: a part of a concept's name, or its number.
        domain: of concepts.
        trust: whose catalogue alone.
        page: of the concepts, from 1.
    """

    find: str = ""
    domain: str = ""
    trust: str = ""
    page: int = 1


@dataclass(frozen=True)
class Row:
    """Numbers of persons of one thing.

    Attributes:
        numbers: by Trust, in the order of :attr:`View.telling`; None where it tells none.
        total: of those added up.
        share: percent of the largest total, for a bar.
    """

    what: str
    numbers: tuple[int | None, ...]
    total: int
    share: float


@dataclass(frozen=True)
class ConceptRow(Row):
    """One concept."""

    concept: Concept


@dataclass(frozen=True)
class Modality:
    """One modality, of any body part and of each."""

    row: Row
    parts: tuple[Row, ...]


@dataclass(frozen=True)
class Chart:
    """Persons with records of one kind, by year.

    Attributes:
        rows: one a year, without gaps, from the first that is told to the last: ten at least.
    """

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Quality:
    """A Trust's checks in one category."""

    trust: TrustCatalogue
    category: str
    checks: tuple[QualityHolding, ...]

    @property
    def failed(self) -> tuple[QualityHolding, ...]:
        """Those that do not pass."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True)
class View:
    """A catalogue's page.

    Attributes:
        entries: every Trust's that may be seen.
        asked: what is shown of them.
        now: when.
    """

    entries: Sequence[TrustCatalogue]
    asked: Asked
    now: datetime = field(repr=False)

    @cached_property
    def chosen(self) -> tuple[TrustCatalogue, ...]:
        """The Trusts that are shown."""
        return tuple(entry for entry in self.entries if self.asked.trust in {"", entry.trust})

    @cached_property
    def telling(self) -> tuple[TrustCatalogue, ...]:
        """Of them, those that tell numbers."""
        return tuple(entry for entry in self.chosen if entry.holdings is not None)

    @cached_property
    def silent(self) -> tuple[TrustCatalogue, ...]:
        """Of them, those that do not."""
        return tuple(entry for entry in self.chosen if entry.holdings is None)

    @cached_property
    def concepts(self) -> Catalogue:
        """Their concepts, put together."""
        return Catalogue(self.chosen)

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """The domains that there are."""
        return tuple(sorted({concept.domain for concept in self.concepts}))

    @cached_property
    def found(self) -> tuple[Concept, ...]:
        """The concepts that were asked for; those of most persons first."""
        text = self.asked.find.strip().casefold()
        kept = (
            concept
            for concept in self.concepts
            if self.asked.domain in {"", concept.domain}
            and (text in concept.name.casefold() or text == str(concept.concept_id))
        )
        return tuple(sorted(kept, key=lambda concept: (-(concept.persons or 0), concept.name.casefold())))

    @property
    def pages(self) -> int:
        """How many pages of concepts there are."""
        return max(1, -(-len(self.found) // ON_A_PAGE))

    @property
    def page(self) -> int:
        """The one that is shown."""
        return min(max(self.asked.page, 1), self.pages)

    @property
    def concept_rows(self) -> list[ConceptRow]:
        """Its concepts."""
        numbers, top = persons_by_concept(self.chosen), max((c.persons or 0 for c in self.found), default=0)
        shown = self.found[(self.page - 1) * ON_A_PAGE : self.page * ON_A_PAGE]
        rows = (self._row(concept.name, numbers.get(concept.concept_id, {}), top) for concept in shown)
        return [ConceptRow(**vars(row), concept=concept) for row, concept in zip(rows, shown, strict=True)]

    @property
    def modalities(self) -> list[Modality]:
        """The images."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for entry in self.telling:
            for row in entry.holdings.imaging if entry.holdings else ():
                found.setdefault((row.modality, row.body_part), {})[f"persons_{entry.trust}"] = row.persons
        top = max((sum(numbers.values()) for numbers in found.values()), default=0)
        made = []
        for modality, keys in groupby(sorted(found), lambda key: key[0]):
            rows = {part: self._row(part or modality, found[modality, part], top) for _, part in keys}
            whole = rows.pop("", None) or self._row(modality, {}, top)
            made.append(Modality(whole, tuple(sorted(rows.values(), key=lambda row: -row.total))))
        return sorted(made, key=lambda one: -one.row.total)

    @property
    def charts(self) -> list[Chart]:
        """The years, by kind of records."""
        found: dict[HeldTable, dict[int, dict[str, int]]] = {}
        for entry in self.telling:
            for row in entry.holdings.years if entry.holdings else ():
                found.setdefault(row.table, {}).setdefault(row.year, {})[f"persons_{entry.trust}"] = row.persons
        return [Chart(words(table), tuple(self._years(numbers))) for table, numbers in sorted(found.items())]

    @property
    def fresh(self) -> list[tuple[TrustCatalogue, TableHolding]]:
        """How fresh each kind of records is, Trust by Trust."""
        return [(entry, row) for entry in self.telling for row in (entry.holdings.tables if entry.holdings else ())]

    @property
    def quality(self) -> list[Quality]:
        """The checks, Trust by Trust and category by category."""
        return [
            Quality(entry, category, tuple(rows))
            for entry in self.telling
            for category, rows in groupby(
                sorted(entry.holdings.quality if entry.holdings else (), key=lambda row: row.category),
                lambda row: row.category,
            )
        ]

    def named_by(self, concept: Concept) -> str:
        """Which of the shown Trusts name a concept."""
        if len(concept.trusts) == len(self.chosen):
            return "All"
        return ", ".join(entry.title for entry in self.chosen if entry.trust in concept.trusts)

    def cost(self, entry: TrustCatalogue) -> list[tuple[str, float]]:
        """What a Trust's catalogue cost its patients' budget: of what, and ε."""
        parts = [("number of persons", entry.persons_epsilon)]
        parts.append(("what it holds", entry.holdings.epsilon if entry.holdings else None))
        parts.append(("synthetic twin", entry.twin.epsilon if entry.twin else None))
        return [(what, epsilon) for what, epsilon in parts if epsilon is not None]

    def link(self, **changes: object) -> str:
        """The same page with another choice."""
        from urllib.parse import urlencode

        choice = {**vars(self.asked), "page": 1} | changes
        return "?" + urlencode({name: value for name, value in choice.items() if value not in {"", 1}})

    def _years(self, numbers: dict[int, dict[str, int]]) -> Iterator[Row]:
        top = max(sum(row.values()) for row in numbers.values())
        last = max(numbers)
        for year in range(min(max(min(numbers), last - YEARS), last - _FEWEST_YEARS + 1), last + 1):
            yield self._row(str(year), numbers.get(year, {}), top)

    def _row(self, what: str, numbers: dict[str, int], top: int) -> Row:
        own = tuple(numbers.get(f"persons_{entry.trust}") for entry in self.telling)
        total = sum(number for number in own if number is not None)
        return Row(what, own, total, 100 * total / top if top else 0.0)
