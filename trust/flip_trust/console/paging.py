"""Cutting long lists into pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import URL

ON_A_PAGE = 25


@dataclass(frozen=True)
class Page:
    """Which part of a list is shown.

    Attributes:
        number: from 1.
        total: how many items the list has.
        path: of this page's address.
        query: of its address, without the page.
        word: the query's name for the page.
    """

    number: int
    total: int
    path: str
    query: Mapping[str, str]
    word: str = "page"

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // ON_A_PAGE))

    @property
    def offset(self) -> int:
        """How many items come before it."""
        return (min(max(self.number, 1), self.last) - 1) * ON_A_PAGE

    @property
    def shown(self) -> int:
        """Its number, inside the list."""
        return self.offset // ON_A_PAGE + 1

    @property
    def previous(self) -> str:
        """Address of the page before; empty on the first."""
        return self._to(self.shown - 1) if self.shown > 1 else ""

    @property
    def next(self) -> str:
        """Address of the page after; empty on the last."""
        return self._to(self.shown + 1) if self.shown < self.last else ""

    def of(self, items: Sequence[object]) -> Sequence[object]:
        """The items of a list that is at hand as a whole."""
        return items[self.offset : self.offset + ON_A_PAGE]

    def _to(self, number: int) -> str:
        return address(self.path, {**self.query, self.word: str(number)})


def address(path: str, query: Mapping[str, str]) -> str:
    """A path with what is asked of it; what is empty is left out."""
    return str(URL(path).include_query_params(**{name: value for name, value in query.items() if value}))
