"""The only ways into and out of a workspace that has no network: to the hub's two addresses, and from its proxy.

    doors.py -- bwrap --unshare-net … python …

Run by its path, by this Python alone: it imports nothing of the hub's, stays small, and lives as long as the workspace,
whatever becomes of JupyterHub meanwhile. The three addresses are those that the workspace is told: two that it may ask
(``JUPYTERHUB_API_URL``, ``FLIP_HUB_API``) and its own (``JUPYTERHUB_SERVICE_URL``).

No file and no folder is shared for it. The workspace opens the two ports on a loopback that nobody else has, and hands
the listening sockets out: what is connected there is carried to the same ports of this computer. It is given one
listening Unix socket, on which its server answers: nothing can be reached by that one, from either side.
(docs/adr/0011-a-workspace-without-a-network.md)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import urlsplit

ASKED = ("JUPYTERHUB_API_URL", "FLIP_HUB_API")
OWN = "JUPYTERHUB_SERVICE_URL"
HANDED = "FLIP_DOORS"
"""Tells the workspace its descriptors: of the socket on which it answers, and of the one to hand its own out by."""
LOOPBACK = "127.0.0.1"
PIECE = 65_536
_BACKLOG = 128
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def main(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a workspace behind its doors until it ends; returns how it ended."""
    # whoever stops the workspace tells all of it: the doors close after the last word
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _wait)
    ports = list(dict.fromkeys(_port(environ[name]) for name in ASKED))
    with socket.socket(socket.AF_UNIX) as answering:
        # a name that the kernel chooses: no file is left behind, and none is anybody's to replace
        answering.bind(b"")
        answering.listen(_BACKLOG)
        name = answering.getsockname().decode()
        ours, theirs = socket.socketpair()
        with theirs:
            handed = (answering.fileno(), theirs.fileno())
            told = {**environ, HANDED: ",".join(map(str, handed))}
            child = subprocess.Popen(command, env=told, pass_fds=handed)  # noqa: S603 - the spawner's own
    with ours:
        opened = _take(ours, ports)
    if opened:
        asyncio.run(_serve(opened, _port(environ[OWN]), name, child))
    return child.wait()


def _take(ours: socket.socket, ports: Sequence[int]) -> dict[int, socket.socket]:
    """The sockets that the workspace listens with, by their ports; none where it ended before."""
    _, descriptors, _, _ = socket.recv_fds(ours, 1, len(ports))
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    return dict(zip(ports, sockets, strict=True)) if sockets else {}


async def _serve(opened: Mapping[int, socket.socket], own: int, name: str, child: subprocess.Popen[bytes]) -> None:
    carrying: set[asyncio.Task[None]] = set()

    def to(connect: Connect) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_carry(connect, reader, writer))
            carrying.add(task)
            task.add_done_callback(carrying.discard)

        return taken

    servers = [await asyncio.start_server(to(_hub(port)), sock=listening) for port, listening in opened.items()]
    servers.append(await asyncio.start_server(to(lambda: asyncio.open_unix_connection(name)), LOOPBACK, own))
    await asyncio.to_thread(child.wait)
    for server in servers:
        server.close()


def _hub(port: int) -> Connect:
    return lambda: asyncio.open_connection(LOOPBACK, port)


async def _carry(connect: Connect, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry what comes in to where ``connect`` leads, and back; where nobody listens there, nobody listens here."""
    try:
        there_reader, there_writer = await connect()
    except OSError:
        writer.transport.abort()
        return
    # where one end is gone, so is the other
    with contextlib.suppress(OSError):
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
    writer.close()
    there_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


def _port(url: str) -> int:
    return urlsplit(url).port or 80


def _wait(_signum: int, _frame: object) -> None:
    """Nothing: the workspace ends by itself, or is made to."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], os.environ))
