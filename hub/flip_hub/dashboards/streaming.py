"""A page that is sent while it is made: with signs of life while a part takes long, and with an end in every case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

HEARTBEAT_SECONDS = 10.0
"""So long nothing is sent; then a sign of life, before a proxy or a browser takes the page for lost."""
STALLED_SECONDS = 150.0
"""A kernel's start, or a cell, takes at most a minute each: what says nothing for so long will not say anything."""
HEARTBEAT = "<script>window.voila_heartbeat()</script>\n"
FAILED = """<script>
document.getElementById("loading_text").textContent =
  "This page could not be made. Open it again; if that does not help, tell the project's team.";
</script>
"""


async def with_signs_of_life(
    pieces: AsyncGenerator[str], every: float = HEARTBEAT_SECONDS, longest: float = STALLED_SECONDS
) -> AsyncGenerator[str]:
    """The pieces of a page, and a sign of life whenever none came for so many seconds.

    Args:
        pieces: they are closed at the end, however it comes.
        every: seconds without a piece until a sign of life.
        longest: seconds without a piece until it counts as stalled.

    Raises:
        TimeoutError: it stalled.
        Exception: what making a piece raises.
    """
    silent = 0.0
    ahead = asyncio.ensure_future(anext(pieces, None))
    try:
        while True:
            done, _ = await asyncio.wait({ahead}, timeout=every)
            if not done:
                silent += every
                if silent >= longest:
                    raise TimeoutError(f"nothing of the page was made for {longest:.0f} seconds")
                yield HEARTBEAT
            elif (piece := ahead.result()) is None:
                return
            else:
                silent = 0.0
                yield piece
                ahead = asyncio.ensure_future(anext(pieces, None))
    finally:
        ahead.cancel()
        await asyncio.wait({ahead})
        await pieces.aclose()
