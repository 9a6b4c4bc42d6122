"""Links: a released dashboard is shown to named persons until a day, once two output checkers agree."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from html import escape
from typing import TYPE_CHECKING

from flip_sdk.contract.links import AskLink, LinkView
from flip_sdk.errors import NotFoundError, PublicError
from flip_sdk.privacy import build

if TYPE_CHECKING:
    from flip_sdk.connection import Connection
    from flip_sdk.frames import Frame

_WORDS = {
    "asked": "waits for two output checkers",
    "agreed": "open",
    "refused": "refused",
    "ended": "ended",
    "over": "over: its day came, or another version is shown",
}


class Link:
    """A link to a dashboard.

    Attributes:
        view: as the hub tells it.
    """

    def __init__(self, view: LinkView, connection: Connection) -> None:
        self.view, self._connection = view, connection

    @property
    def id(self) -> str:
        """By which it is named."""
        return self.view.link_id

    @property
    def address(self) -> str:
        """Where it opens, for whom it names; told once, when it is asked for, and empty ever after."""
        return self.view.address

    def end(self) -> Link:
        """End it now: pages that it opened close.

        Raises:
            PublicError: it has ended.
        """
        return Link(self._connection.post(f"links/{self.id}/end", None, LinkView), self._connection)

    def __repr__(self) -> str:
        view = self.view
        whom = ", ".join(reader.name for reader in view.readers)
        kept = f"; keep its address, it is told this once: {self.address}" if self.address else ""
        return (
            f"Link {self.id} to {view.dashboard} for {whom}, until {view.ends_at:%d %B %Y}: {_WORDS[view.state]}{kept}"
        )

    def _repr_html_(self) -> str:
        from flip_sdk import looks

        view = self.view
        facts = [("For", ", ".join(f"{one.display_name}, {one.organisation}" for one in view.readers))]
        facts += [("Until", f"{view.ends_at:%d %B %Y}"), ("Why", view.reason)]
        kept = f"<p>Its address, told this once: <code>{escape(self.address)}</code></p>" if self.address else ""
        return looks.card(
            f"Link to {view.dashboard}",
            looks.facts(facts),
            kept,
            state=(_WORDS[view.state], "good" if view.state == "agreed" else "plain"),
        )


class Links(list[Link]):
    """Links to a dashboard, the newest first."""

    def one(self, link_id: str) -> Link:
        """The link of this id.

        Raises:
            NotFoundError: the dashboard has no such link.
        """
        for link in self:
            if link.id == link_id:
                return link
        raise NotFoundError(f"The dashboard has no link {link_id}.", "Take an id out of the list of its links.")

    def table(self) -> Frame:
        """One row a reader of a link."""
        from flip_sdk.frames import frame

        rows = [
            {
                "link": one.id,
                "reader": reader.name,
                "state": _WORDS[one.view.state],
                "until": one.view.ends_at,
                "opened": reader.opened,
            }
            for one in self
            for reader in one.view.readers
        ]
        kinds = {"link": str, "reader": str, "state": str, "until": datetime, "opened": int}
        return frame(rows, kinds, "Links")

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


class Sharing:
    """What a project's owner does to show a released dashboard to others."""

    _connection: Connection

    @property
    def id(self) -> str:
        """The project's."""
        raise NotImplementedError

    def share(self, dashboard: str, readers: str | Iterable[str], *, until: date | str, reason: str) -> Link:
        """Ask for a link that shows a released dashboard to persons beyond the project's team.

        Two output checkers agree to these persons and this day before it opens. Each of them signs in as themselves;
        passed on, it opens nothing. What is for everybody, or for everybody signed in, needs no link.

        Args:
            dashboard: its name.
            readers: names of their accounts at the hub; at most 20.
            until: the last day, as ``2027-01-31``.
            reason: why they are to see it; the checkers read it.

        Returns:
            the link, whose ``address`` is told this once.

        Raises:
            SpecError: a field breaks a rule.
            NotAllowedError: you are not the project's owner.
        """
        given = (readers,) if isinstance(readers, str) else tuple(readers)
        asked = build(AskLink, readers=given, ends_at=_end_of(until), reason=reason)
        return Link(self._connection.post(self._links(dashboard), asked, LinkView), self._connection)

    def links(self, dashboard: str) -> Links:
        """Links to a dashboard, the newest first: a list that shows itself as a table."""
        views = self._connection.get_all(self._links(dashboard), LinkView)
        return Links(Link(view, self._connection) for view in views)

    def _links(self, dashboard: str) -> str:
        return f"projects/{self.id}/dashboards/{dashboard}/links"


def _end_of(until: date | str) -> datetime:
    """The end of the last day that counts."""
    try:
        day = date.fromisoformat(until) if isinstance(until, str) else until
    except ValueError:
        raise PublicError(f"“{until}” is no day.", "Write it as in 2027-01-31.") from None
    return datetime.combine(day, time(23, 59, 59), tzinfo=UTC)
