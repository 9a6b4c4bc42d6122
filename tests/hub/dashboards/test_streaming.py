"""A page that is sent while it is made ends in every case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from flip_hub.dashboards.streaming import HEARTBEAT, with_signs_of_life


class Page:
    """Pieces, with what happens between them."""

    def __init__(self, *pieces: str | asyncio.Event | Exception) -> None:
        self.pieces = pieces
        self.closed = False

    async def made(self) -> AsyncGenerator[str]:
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                else:
                    yield piece
        finally:
            self.closed = True


async def sent(page: Page, until: asyncio.Event | None = None, longest: float = 60.0) -> list[str]:
    found = []
    async for piece in with_signs_of_life(page.made(), every=0.01, longest=longest):
        found.append(piece)
        if piece == HEARTBEAT and until is not None:
            until.set()
    return found


def test_pieces_come_as_they_are_made() -> None:
    page = Page("a", "b")
    assert asyncio.run(sent(page)) == ["a", "b"]
    assert page.closed


def test_what_takes_long_sends_signs_of_life_meanwhile() -> None:
    async def told() -> list[str]:
        event = asyncio.Event()
        return await sent(Page("a", event, "b"), until=event)

    found = asyncio.run(told())
    assert (found[0], found[-1]) == ("a", "b")
    assert set(found[1:-1]) == {HEARTBEAT}


def test_what_fails_is_told() -> None:
    page = Page("a", RuntimeError("Kernel died before replying to kernel_info"))
    with pytest.raises(RuntimeError, match="Kernel died"):
        asyncio.run(sent(page))
    assert page.closed


def test_what_says_nothing_for_long_is_given_up() -> None:
    async def told() -> None:
        page = Page("a", asyncio.Event())
        with pytest.raises(TimeoutError, match="nothing of the page"):
            await sent(page, longest=0.05)
        assert page.closed

    asyncio.run(told())


def test_whoever_leaves_ends_it() -> None:
    async def told() -> None:
        page = Page("a", asyncio.Event())
        pieces = with_signs_of_life(page.made(), every=60.0)
        assert await anext(pieces) == "a"
        await pieces.aclose()
        assert page.closed

    asyncio.run(told())
