"""What the Trusts of a project say they hold: names, public bounds and noisy numbers of persons, no data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from html import escape
from typing import TYPE_CHECKING

from flip_sdk.contract.api import TrustCatalogue
from flip_sdk.contract.cohorts import HasCondition
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.twins import Twin
from flip_sdk.errors import NotFoundError
from flip_sdk.held import (
    PERSONS,
    checks_of,
    columns_of,
    freshness_of,
    imaging_of,
    persons_by_concept,
    quality_of,
    silent,
    years_of,
)
from flip_sdk.privacy import build

if TYPE_CHECKING:
    from flip_sdk.frames import Frame

_MOST_SHOWN = 100


@dataclass(frozen=True)
class Concept:
    """One thing that Trusts record: a measurement, a condition, a drug, a procedure, an observation or a gender.

    Attributes:
        concept_id: its OMOP number, the same at every Trust.
        low: lower public bound, out of general knowledge and not out of the patients (measurements only).
        high: upper public bound.
        trusts: who names it in its catalogue.
        persons: with a record of it at the Trusts that tell numbers, noisy; None where none of them tells one.
    """

    concept_id: int
    name: str
    domain: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    trusts: tuple[str, ...] = ()
    persons: int | None = None

    def feature(self, low: float | None = None, high: float | None = None) -> Feature:
        """This measurement as a model's input; values outside the bounds are clamped to them.

        Raises:
            NotFoundError: neither you nor the catalogue gives bounds.
        """
        low, high = self.low if low is None else low, self.high if high is None else high
        if low is None or high is None:
            raise NotFoundError(
                f"The catalogue has no public bounds for {self.name!r}.",
                f'Give them from general knowledge: catalogue.concept("{self.name}").feature(low=…, high=…).',
            )
        return build(Feature, concept_id=self.concept_id, low=low, high=high, name=self.name)

    def label(self) -> Label:
        """What a model learns to tell: 1 for persons who have this condition, else 0."""
        return Label(condition_concept_ids=(self.concept_id,), name=self.name)

    def present(self) -> HasCondition:
        """Criterion: persons with this condition."""
        return HasCondition(concept_ids=(self.concept_id,))

    def absent(self) -> HasCondition:
        """Criterion: persons without this condition."""
        return HasCondition(concept_ids=(self.concept_id,), negate=True)


class Catalogue:
    """The catalogues of a project's Trusts, put together.

    Numbers of persons are there where a Trust's data steward published them; each caption says who did not.
    """

    def __init__(self, entries: Sequence[TrustCatalogue]) -> None:
        self._entries = tuple(entries)
        self._persons = persons_by_concept(entries)
        self._concepts = _merge(entries, self._persons)

    def __repr__(self) -> str:
        return f"Catalogue({len(self._concepts)} concepts at {len(self._entries)} Trusts)"

    def _repr_html_(self) -> str:
        from flip_sdk import looks

        tables = [self.trusts]
        if any(entry.holdings is not None for entry in self._entries):
            tables += [self.freshness(), self.imaging(), self.quality()]
        shown = self._concepts[:_MOST_SHOWN]
        more = len(self._concepts) - len(shown)
        tables.append(self._table(shown, "What the Trusts hold"))
        rest = looks.tip("catalogue.concepts", f"and {more} more") if more else ""
        find = looks.tip("catalogue.find('…')", "those whose name holds a text, or nearly")
        return looks.card(f"Catalogue of {len(self._entries)} Trusts", *map(_html, tables), rest, find)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self._concepts)

    @property
    def trusts(self) -> Frame:
        """One row a Trust: how many persons it holds (noisy and rounded), and as of when."""
        from flip_sdk.frames import frame

        schema = {"trust": str, "title": str, "persons": int, "as_of": datetime}
        rows = [{"trust": e.trust, "title": e.title, "persons": e.persons, "as_of": e.issued_at} for e in self._entries]
        return frame(rows, schema, "Trusts: persons are noisy and rounded", ("persons",))

    @property
    def twins(self) -> dict[str, tuple[Twin, int]]:
        """By Trust, the synthetic twins that were published, each with the persons that the Trust says it holds."""
        return {entry.trust: (entry.twin, entry.persons or 0) for entry in self._entries if entry.twin is not None}

    @property
    def concepts(self) -> Frame:
        """One row a concept: its number, name, domain, unit, public bounds, the Trusts that name it, and persons.

        ``persons`` adds up what the Trusts tell, ``persons_<trust>`` is one Trust's own; there are none of these
        columns where no Trust tells numbers. A number that is missing is under the floor, or lost in the noise.
        """
        return self._table(self._concepts, "What the Trusts hold")

    def imaging(self) -> Frame:
        """One row a modality (body part ``any``) and body part: persons with such a series, at each Trust."""
        return imaging_of(self._entries)

    def years(self) -> Frame:
        """One row a kind of records and calendar year: persons with a record in it, at each Trust."""
        return years_of(self._entries)

    def freshness(self) -> Frame:
        """One row a Trust and kind of records: persons, and the latest month that enough persons have had one since."""
        return freshness_of(self._entries)

    def quality(self) -> Frame:
        """One row a Trust and category: how many checks of its records there are, and how many pass."""
        return quality_of(self._entries)

    def checks(self) -> Frame:
        """One row a Trust and check: percent of each person's rows that fail it, on average, and what noise hides."""
        return checks_of(self._entries)

    def measurements(self) -> Frame:
        """The measurements, which can be a model's features."""
        return self._table((c for c in self._concepts if c.domain == "Measurement"), "Measurements")

    def conditions(self) -> Frame:
        """The conditions, which can be a label or a cohort's criterion."""
        return self._table((c for c in self._concepts if c.domain == "Condition"), "Conditions")

    def find(self, text: str) -> Frame:
        """Concepts whose name holds this text, or nearly."""
        near = set(get_close_matches(text.casefold(), [c.name.casefold() for c in self._concepts], n=5, cutoff=0.6))
        found = [c for c in self._concepts if text.casefold() in c.name.casefold() or c.name.casefold() in near]
        return self._table(found, f"Found for {text!r}")

    def concept(self, name: str | int, domain: str | None = None) -> Concept:
        """One concept by its name (capitals do not matter) or its number.

        Raises:
            NotFoundError: there is none; the error names the nearest.
        """
        among = [c for c in self._concepts if domain in (None, c.domain)]
        for concept in among:
            if concept.concept_id == name or concept.name.casefold() == str(name).casefold():
                return concept
        raise self._unknown(str(name), domain, among)

    def feature(self, name: str | int, low: float | None = None, high: float | None = None) -> Feature:
        """One measurement as a model's input."""
        return self.concept(name, "Measurement").feature(low, high)

    def features(self, *names: str | int) -> list[Feature]:
        """These measurements as a model's inputs; without names, every one that has bounds and that all Trusts hold."""
        if names:
            return [self.feature(name) for name in names]
        everywhere = {entry.trust for entry in self._entries}
        return [
            c.feature()
            for c in self._concepts
            if c.domain == "Measurement" and c.low is not None and c.high is not None and everywhere <= set(c.trusts)
        ]

    def condition(self, name: str | int) -> Concept:
        """One condition, for ``.label()``, ``.present()`` or ``.absent()``."""
        return self.concept(name, "Condition")

    def label(self, name: str | int) -> Label:
        """What a model learns to tell: 1 for persons with this condition, else 0."""
        return self.condition(name).label()

    def _unknown(self, name: str, domain: str | None, among: Sequence[Concept]) -> NotFoundError:
        kind = (domain or "concept").lower()
        if not self._entries:
            return NotFoundError(
                f"There is no {kind} {name!r}: no Trust of this project has published a catalogue yet.",
                "Look at project.budget(): each Trust's data steward has to opt in first.",
            )
        names = {c.name.casefold(): c.name for c in among}
        near = get_close_matches(name.casefold(), list(names), n=3, cutoff=0.6)
        near = near or [known for known in names if name.casefold() in known][:3]
        hint = f"Did you mean {' or '.join(repr(names[n]) for n in near)}? " if near else ""
        return NotFoundError(
            f"There is no {kind} called {name!r}.", f"{hint}project.catalogue().concepts shows all names."
        )

    def _table(self, concepts: Iterable[Concept], caption: str) -> Frame:

        from flip_sdk.frames import frame

        schema = {
            "concept_id": int,
            "name": str,
            "domain": str,
            "unit": str,
            "low": float,
            "high": float,
            "trusts": list,
        } | dict.fromkeys(columns_of(self._entries), int)
        numbers = dict.fromkeys(columns_of(self._entries))
        rows = [
            {**vars(concept), "trusts": list(concept.trusts), **numbers, **self._persons.get(concept.concept_id, {})}
            for concept in concepts
        ]
        rows = [{name: row[name] for name in schema} for row in rows]
        note = silent(self._entries) if numbers else ""
        return frame(rows, schema, caption + note, (PERSONS,))


def _html(table: Frame) -> str:
    if table.is_empty():
        return f"<p>{escape(table.caption)}: nothing that can be told.</p>"
    return table._repr_html_()


def _merge(entries: Sequence[TrustCatalogue], persons: Mapping[int, Mapping[str, int]]) -> tuple[Concept, ...]:
    """One Concept per number; where Trusts declare different bounds the widest hold, which are public too."""
    merged: dict[int, Concept] = {}
    for entry in entries:
        for c in entry.concepts:
            known = merged.get(c.concept_id)
            lows = [b for b in (c.low, known.low if known else None) if b is not None]
            highs = [b for b in (c.high, known.high if known else None) if b is not None]
            merged[c.concept_id] = Concept(
                concept_id=c.concept_id,
                name=known.name if known else c.name,
                domain=c.domain,
                unit=known.unit if known else c.unit,
                low=min(lows, default=None),
                high=max(highs, default=None),
                trusts=(*(known.trusts if known else ()), entry.trust),
                persons=persons.get(c.concept_id, {}).get(PERSONS),
            )
    return tuple(sorted(merged.values(), key=lambda c: (c.domain, c.concept_id)))
