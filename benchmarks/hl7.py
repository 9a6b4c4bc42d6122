"""How many HL7 messages a second does a hospital's sender get acknowledged?

Ours is the Trust's listener as it runs: each message is checked, and on the disk (fdatasync) before its
acknowledgement. The peer is the MLLP server of the ``hl7`` library, which parses and acknowledges and keeps nothing.
The same sender for both, in a process of its own, over TCP on this machine: it waits for each acknowledgement, on one
connection and on several; and it has many messages on the way, as interface engines may.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows import Row

CONNECTIONS = 32
MESSAGES = 4000
LEAST_A_SECOND = 1000
"""Where a sender waits for each answer on its one connection it is a time to answer, not a rate: that is to compare."""
_MESSAGE = (
    b"MSH|^~\\&|LAB|RX1|FLIP|RX1|20240101100000||ORU^R01^ORU_R01|%d|P|2.5.1\r"
    b"PID|1||RX1-%d^^^RX1^MR||Doe^Jane||19700405|F\r"
    b"PV1|1|I|W1||||||||||||||||V1\r"
    b"OBR|1|P1|F%d|24323-8^Comprehensive metabolic panel^LN|||20240102110000\r"
    b"OBX|1|NM|2345-7^Glucose^LN||7.25|mmol/L^^UCUM|3.9-5.6|H|||F\r"
    b"OBX|2|NM|2160-0^Creatinine^LN||71|umol/L^^UCUM|45-84|N|||F\r"
    b"OBX|3|NM|2951-2^Sodium^LN||139|mmol/L^^UCUM|133-146|N|||F\r"
)
_OURS = """
import asyncio, sys
from pathlib import Path
from flip_trust.ingest.hl7.listener import Listener
asyncio.run(Listener(Path(sys.argv[1])).run("127.0.0.1", 0, asyncio.Event(), lambda port: print(port, flush=True)))
"""
_PEER = """
import asyncio, hl7.mllp
async def talk(reader, writer):
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except asyncio.IncompleteReadError:
        pass
    writer.close()
async def main():
    server = await hl7.mllp.start_hl7_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Way:
    """How the sender sends."""

    name: str
    connections: int
    on_the_way: int


WAYS = (
    Way("1 connection, one at a time", 1, 1),
    Way(f"{CONNECTIONS} connections, one at a time", CONNECTIONS, 1),
    Way("1 connection, 100 on the way", 1, 100),
)


def run(messages: int = MESSAGES) -> Iterator[Row]:
    """A row for each way of sending."""
    with tempfile.TemporaryDirectory(prefix="flip-hl7-") as folder:
        for way in WAYS:
            with _server(_OURS, folder) as port:
                ours = _a_second(port, way, messages)
            with _server(_PEER, folder) as port:
                peer = _a_second(port, way, messages)
            alone = way.connections * way.on_the_way == 1
            bar = "to compare" if alone else f">= {LEAST_A_SECOND} a second"
            holds = alone or ours >= LEAST_A_SECOND
            name = f"hl7/messages on the disk and acknowledged, {way.name} (peer: hl7's server, which keeps nothing)"
            yield Row(name, ours, peer, "1/s", ours / peer, bar, holds)


@contextlib.contextmanager
def _server(program: str, folder: str) -> Iterator[int]:
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    running = subprocess.Popen(
        [sys.executable, "-c", program, str(Path(folder))], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert running.stdout is not None
        yield int(running.stdout.readline())
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def _a_second(port: int, way: Way, messages: int) -> float:
    async def send_all() -> float:
        share = messages // way.connections
        # the first hundred warm both sides
        await _send(port, range(100), way.on_the_way)
        begun = time.perf_counter()
        parts = (range(n * share, (n + 1) * share) for n in range(way.connections))
        await asyncio.gather(*(_send(port, part, way.on_the_way) for part in parts))
        return share * way.connections / (time.perf_counter() - begun)

    return asyncio.run(send_all())


async def _send(port: int, numbers: range, on_the_way: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    for done, number in enumerate(numbers):
        while sent < min(done + on_the_way, len(numbers)):
            writer.write(b"\x0b" + _MESSAGE % (3 * (numbers.start + sent,)) + b"\x1c\r")
            sent += 1
        answer = await reader.readuntil(b"\x1c\r")
        if b"|AA|%d" % number not in answer:
            raise RuntimeError("a message was not acknowledged")
    writer.close()
    await writer.wait_closed()
