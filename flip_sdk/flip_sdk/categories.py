"""What persons are grouped by: words that become the contract's categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flip_sdk.contract import statistics as contract
from flip_sdk.privacy import build

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue
    from flip_sdk.cohorts import ConceptLike

Category = contract.SexIn | contract.ConditionRecorded | contract.AgeBands


@dataclass(frozen=True)
class Grouping:
    """Puts every person into one group.

    Attributes:
        words: what it is called in a table.
        record: makes the contract's category; names are looked up in the project's catalogue.
    """

    words: str
    record: Callable[[Callable[[], Catalogue]], Category]

    def __repr__(self) -> str:
        return f"by {self.words}"


def by_age(*starts: int) -> Grouping:
    """Age bands: under the first start, from each to the next, from the last on; ``by_age(40, 60)`` makes three."""
    return Grouping("age", lambda _: build(contract.AgeBands, starts=starts))


def by_sex(*sexes: ConceptLike) -> Grouping:
    """Recorded sex: a group for each of these names (or OMOP concept ids), and one for everything else.

    In a regression the first is what the others are compared with, and everything else is left out.
    """

    def record(catalogue: Callable[[], Catalogue]) -> Category:
        found = [named(sex, catalogue, "Gender") for sex in sexes]
        return build(contract.SexIn, concept_ids=[i for i, _ in found], names=[name for _, name in found])

    return Grouping("sex", record)


def by_condition(*conditions: ConceptLike) -> Grouping:
    """With any record of one of these conditions, or without."""

    def record(catalogue: Callable[[], Catalogue]) -> Category:
        found = [named(condition, catalogue, "Condition") for condition in conditions]
        name = " or ".join(name for _, name in found)
        return build(contract.ConditionRecorded, concept_ids=[i for i, _ in found], name=name)

    return Grouping(" or ".join(str(getattr(one, "name", one)) for one in conditions), record)


def named(concept: ConceptLike, catalogue: Callable[[], Catalogue], domain: str) -> tuple[int, str]:
    """A concept's number and name; the catalogue is asked for only where a name is given.

    Raises:
        NotFoundError: the name is unknown.
    """
    if isinstance(concept, int):
        return concept, str(concept)
    found = catalogue().concept(concept, domain) if isinstance(concept, str) else concept
    return found.concept_id, found.name
