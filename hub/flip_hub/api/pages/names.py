"""How people are shown on a page: those that are on it, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Person


class Names(dict[str, str]):
    """What is shown for each name; who was not thought of beforehand is looked up when asked for.

    Args:
        session: the page's transaction, which has to outlive it.
        among: whom the page shows for certain, so that they are looked up together.
    """

    def __init__(self, session: Session, among: Iterable[str] = ()) -> None:
        super().__init__()
        self._session = session
        self._strangers: set[str] = set()
        self._look(set(among))

    def __missing__(self, name: str) -> str:
        """Look somebody up.

        Raises:
            KeyError: nobody is registered under this name.
        """
        if name not in self._strangers:
            self._look({name})
        if name in self._strangers:
            raise KeyError(name)
        return self[name]

    def get(self, name: str, default: Any = None) -> Any:
        """What is shown for a name."""
        try:
            return self[name]
        except KeyError:
            return default

    def _look(self, names: set[str]) -> None:
        if not names:
            return
        chosen = select(Person.name, Person.display_name, Person.organisation).where(Person.name.in_(names))
        for name, shown, organisation in self._session.execute(chosen):
            self[name] = f"{shown} ({organisation})"
        self._strangers |= names - self.keys()


def display_names(session: Session, among: Iterable[str] = (), others: Mapping[str, str] | None = None) -> Names:
    """How people are shown, within this transaction.

    Args:
        session: the page's transaction.
        among: whom the page shows for certain.
        others: what else has a name on this page.
    """
    names = Names(session, among)
    names.update(others or {})
    return names
