"""Loading pages over plain connections that are kept: the load itself is not to take the processor from them."""

from __future__ import annotations

import asyncio
import re

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_REQUEST = "GET {page} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: flip-session={token}\r\n\r\n"


class Connections:
    """Connections to a service on the loopback; as many as there are loads under way.

    Args:
        port: the service's.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, page: str, token: str) -> int:
        """Load a page, whole; its status.

        Raises:
            OSError: the service does not answer.
            EOFError: it hung up.
        """
        request = _REQUEST.format(page=page, token=token).encode()
        while self._idle:
            reader, writer = self._idle.pop()
            if reader.at_eof():
                # the service closed it while nothing was asked
                writer.close()
                continue
            try:
                return await self._ask(reader, writer, request)
            except (ConnectionError, asyncio.IncompleteReadError):
                # it closed it just as it was asked: as a browser does, ask again on another
                writer.close()
        return await self._ask(*await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20), request)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None:
            raise EOFError(f"an answer without a length: {head!r}")
        await reader.readexactly(int(length[1]))
        self._idle.append((reader, writer))
        return int(head[9:12])
