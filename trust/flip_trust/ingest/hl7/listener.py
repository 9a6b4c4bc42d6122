"""The MLLP listener: a message is acknowledged once it is on the disk, and all that wait for the disk share one write.

It maps nothing: that is a step of its own (:mod:`flip_trust.ingest.hl7.load`), so that a slow or broken mapping never
stops a sender.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flip_trust.durable import sync_folder
from flip_trust.ingest import quarantine
from flip_trust.ingest.hl7 import messages
from flip_trust.ingest.hl7.journal import Journal

BEGIN, END = b"\x0b", b"\x1c\r"
MOST_MESSAGE_BYTES = 16 * 2**20
MOST_WAITING = 1000
"""Messages of one connection that may wait for their acknowledgement; then its sender waits."""
MOST_SECONDS_TO_ANSWER = 5
"""A sender that hangs up or reads nothing is given this long to take the last acknowledgements."""
MOST_SECONDS_TO_SHAKE_HANDS = 20
JOURNAL_FOLDER = Path("hl7", "journal")


@dataclass
class _Waiting:
    """A message that is not on the disk yet."""

    raw: bytes
    refusal: messages.RejectedError | None
    done: asyncio.Future[bytes]


@dataclass
class Listener:
    """Takes messages from any number of connections, for as long as :meth:`run` runs.

    Attributes:
        home: the Trust's home.
        told: called with the code of each acknowledgement.
    """

    home: Path
    told: Callable[[str], None] = lambda _: None
    _journal: Journal = field(init=False)
    _waiting: list[_Waiting] = field(default_factory=list)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(
        self,
        host: str,
        port: int,
        stop: asyncio.Event,
        listening: Callable[[int], None] = lambda _: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Listen until told to stop; what was taken by then is acknowledged.

        Args:
            host: an address of this machine.
            port: 0 for any that is free.
            stop: when to stop.
            listening: called with the port, once connections are taken.
            tls: to speak TLS only.

        Raises:
            IngestError: another listener writes to this home.
            OSError: the address is not free.
        """
        self._journal = Journal.open(self.home / JOURNAL_FOLDER)
        try:
            patience = MOST_SECONDS_TO_SHAKE_HANDS if tls else None
            server = await asyncio.start_server(
                self._connected, host, port, limit=MOST_MESSAGE_BYTES, ssl=tls, ssl_handshake_timeout=patience
            )
            listening(server.sockets[0].getsockname()[1])
            await stop.wait()
            server.close()
            for task in list(self._connections):
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
        finally:
            self._journal.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections.add(task)
        answers: asyncio.Queue[asyncio.Future[bytes] | None] = asyncio.Queue(MOST_WAITING)
        answering = asyncio.create_task(_answer(answers, writer))
        try:
            # what was not whole was not acknowledged, and its sender sends it again
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._take_all(reader, answers)
        finally:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError, TimeoutError):
                async with asyncio.timeout(MOST_SECONDS_TO_ANSWER):
                    await answers.put(None)
                    await answering
            answering.cancel()
            writer.close()
            self._connections.discard(task)

    async def _take_all(
        self, reader: asyncio.StreamReader, answers: asyncio.Queue[asyncio.Future[bytes] | None]
    ) -> None:
        while True:
            try:
                frame = await reader.readuntil(END)
            except asyncio.LimitOverrunError:
                refusal = messages.RejectedError("AR", "it is longer than this listener takes")
                await answers.put(self._submit(b"", refusal))
                return
            await answers.put(self._take(frame[: -len(END)]))

    def _take(self, frame: bytes) -> asyncio.Future[bytes]:
        raw = frame.removeprefix(BEGIN)
        try:
            if raw is frame:
                raise messages.RejectedError("AR", "it does not begin as MLLP's frames do")
            messages.check(messages.parse(raw))
        except messages.RejectedError as refusal:
            return self._submit(raw, refusal)
        return self._submit(raw, None)

    def _submit(self, raw: bytes, refusal: messages.RejectedError | None) -> asyncio.Future[bytes]:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(raw, refusal, done))
        if len(self._waiting) == 1:
            # after every connection that has something to read was read
            asyncio.get_running_loop().call_soon(self._commit)
        return done

    def _commit(self) -> None:
        """Write what came since the last time: on this thread, as all who wait would wait for it on another one too."""
        batch, self._waiting = self._waiting, []
        failure = None
        try:
            _write(self.home, self._journal, batch)
        except OSError:
            failure = "it could not be written to the disk; send it again later"
        for one in batch:
            self._settle(one, failure)

    def _settle(self, one: _Waiting, failure: str | None) -> None:
        code, reason = ("AE", failure) if failure else ("AA", "")
        if one.refusal and not failure:
            code, reason = one.refusal.code, one.refusal.reason
        self.told(code)
        if not one.done.done():
            one.done.set_result(messages.acknowledge(one.raw, code, reason))


def _write(home: Path, journal: Journal, batch: list[_Waiting]) -> None:
    if taken := [one.raw for one in batch if one.refusal is None]:
        journal.append(taken)
    refused = [(one.raw, one.refusal) for one in batch if one.refusal is not None]
    if not refused:
        return
    now = datetime.now(UTC)
    path = quarantine.folder_of(home, "hl7") / f"received-{now:%Y-%m-%d}.jsonl"
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as stream:
        for raw, refusal in refused:
            line = {"where": now.isoformat(), "reason": refusal.reason, "content": raw.decode("latin-1")}
            stream.write(json.dumps(line).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    if new:
        sync_folder(path.parent)


async def _answer(answers: asyncio.Queue[asyncio.Future[bytes] | None], writer: asyncio.StreamWriter) -> None:
    """Send acknowledgements in the order of their messages; to a sender that is gone, none."""
    gone = False
    while (answer := await answers.get()) is not None:
        content = await answer
        if not gone:
            try:
                writer.write(BEGIN + content + END)
                if answers.empty():
                    await writer.drain()
            except ConnectionError:
                gone = True
