"""An answer that nothing wakes for is found."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Iterator
from queue import Empty

import pytest
import zmq
import zmq.asyncio
from flip_hub.dashboards.clients import PatientChannel
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session

PATIENCE = 20.0


@pytest.fixture
def kernel() -> Iterator[zmq.Socket[bytes]]:
    """A kernel's end."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.bind("tcp://127.0.0.1:0")
        yield socket


async def answered_unseen(kind: type[AsyncZMQSocketChannel], kernel: zmq.Socket[bytes], patience: float) -> str:
    """What the channel finds once something else on its socket took the answer's wake-up."""
    session = Session(key=b"k")
    with zmq.asyncio.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.connect(kernel.last_endpoint)
        channel = kind(socket, session)
        channel.send(session.msg("execute_request"))
        identity = kernel.recv_multipart()[0]
        waiting = asyncio.create_task(channel.get_msg())
        await asyncio.wait({waiting}, timeout=0.05)  # it looks once more when it begins to wait
        take_wake_up(socket)  # what still belongs to the connection
        session.send(kernel, "execute_reply", ident=identity)
        assert select.select([socket.FD], [], [], PATIENCE)[0]
        take_wake_up(socket)
        message = await asyncio.wait_for(waiting, patience)
        return str(message["header"]["msg_type"])


def take_wake_up(socket: zmq.asyncio.Socket) -> None:
    """As libzmq does where something is sent, at most once in a millisecond."""
    while select.select([socket.FD], [], [], 0)[0]:
        zmq.Socket.shadow(socket.underlying).getsockopt(zmq.EVENTS)


def test_an_answer_whose_wake_up_was_taken_is_found(kernel: zmq.Socket[bytes]) -> None:
    found = asyncio.run(answered_unseen(PatientChannel, kernel, PATIENCE))
    assert found == "execute_reply"


def test_the_librarys_own_channel_misses_it(kernel: zmq.Socket[bytes]) -> None:
    """Once it does not, ours goes."""
    with pytest.raises(TimeoutError):
        asyncio.run(answered_unseen(AsyncZMQSocketChannel, kernel, 0.5))


def test_nothing_within_the_time_is_nothing(kernel: zmq.Socket[bytes]) -> None:
    async def asked() -> None:
        with zmq.asyncio.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.connect(kernel.last_endpoint)
            await PatientChannel(socket, Session(key=b"k")).get_msg(timeout=0.01)

    with pytest.raises(Empty):
        asyncio.run(asked())
