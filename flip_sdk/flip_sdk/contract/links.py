"""Records about links, by which a released dashboard is shown to named persons until a day."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flip_sdk.contract.records import Instant, Line, Name, Record, Text, Token

MOST_READERS = 20
LinkState = Literal["asked", "agreed", "refused", "ended", "over"]
"""``asked`` waits for output checkers; ``ended``: by somebody; ``over``: its day came, or another version is shown."""
LinkReason = Annotated[Text, Field(min_length=10, max_length=2000)]


class AskLink(Record):
    """What a project's owner asks for.

    Attributes:
        readers: accounts that it is to admit.
        ends_at: from then on it admits nobody.
        reason: why they are to see it, for the output checkers.
    """

    readers: Annotated[tuple[Line, ...], Field(min_length=1, max_length=MOST_READERS)]
    ends_at: Instant
    reason: LinkReason


class DecideLink(Record):
    """What an output checker decides."""

    agrees: bool
    reason: LinkReason


class LinkReaderView(Record):
    """One of those whom a link admits.

    Attributes:
        opened: how often they opened it.
        last_opened_at: when they did last.
    """

    name: Line
    display_name: Line
    organisation: Line
    opened: int = 0
    last_opened_at: Instant | None = None


class LinkDecisionView(Record):
    """A checker's decision, once both are there."""

    decided_by: Line
    agrees: bool
    reason: str


class LinkView(Record):
    """A link, without the part of its address that opens it.

    Attributes:
        version: of the dashboard: another one that is shown ends the link.
        decided: how many checkers decided; who and why is told once it is agreed or refused.
        address: of a link that was just asked for, where it opens; told this once.
    """

    link_id: Token
    project_id: Name
    dashboard: Name
    version: int
    title: Line
    state: LinkState
    reason: str
    readers: tuple[LinkReaderView, ...]
    asked_by: Line
    asked_at: Instant
    ends_at: Instant
    decided: int = 0
    decisions: tuple[LinkDecisionView, ...] = ()
    address: str = ""
