"""The port that modalities and the PACS send to: takes connections and gives each its association."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import Self

from flip_trust.agent import log
from flip_trust.errors import ImagingError
from flip_trust.imaging.association import Association
from flip_trust.imaging.negotiation import Rules
from flip_trust.imaging.spool import Spool
from flip_trust.tls import Tls

MOST_ASSOCIATIONS = 32
_MOST_WAITING = 64
_log = logging.getLogger(__name__)


class Receiver:
    """Listens until it is closed.

    Args:
        spool: where instances go.
        rules: who may send.
        host: address to listen on.
        port: 0 takes a free one.
        tls: to speak TLS only.
        most: associations at a time; another one is told to come back later.
        patience: seconds of silence after which a peer is given up.

    Raises:
        ImagingError: the port cannot be had, or TLS cannot be set up.
    """

    def __init__(
        self,
        spool: Spool,
        rules: Rules,
        host: str = "",
        port: int = 104,
        tls: Tls | None = None,
        most: int = MOST_ASSOCIATIONS,
        patience: float = 120.0,
    ) -> None:
        self._spool, self._rules, self._most, self._patience = spool, rules, most, patience
        self._tls = tls.context() if tls else None
        self._listener = listening(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._associations: set[Association] = set()
        self._thread = threading.Thread(target=self._accept, name="receiver", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, patience: float = 10.0) -> None:
        """Take no more; let instances that are under way be finished and acknowledged, then hang up."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for association in self._associations:
            association.end()
        deadline = time.monotonic() + patience
        for association in self._associations:
            association.join(max(0.0, deadline - time.monotonic()))
            if association.is_alive():
                association.cut()
                association.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except ConnectionError:
                continue
            except OSError as error:
                if self._listener_is_down():
                    return
                log.failure(_log, "receiver.accept", error)
                continue
            self._associations = {one for one in self._associations if one.is_alive()}
            if len(self._associations) >= self._most + _MOST_WAITING:
                connection.close()
                continue
            self._serve(connection, full=len(self._associations) >= self._most)

    def _serve(self, connection: socket.socket, *, full: bool) -> None:
        if self._tls:
            # the handshake is made by the association's own thread: a silent peer holds nobody else up
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        association = Association(connection, self._spool, self._rules, full=full, patience=self._patience)
        self._associations.add(association)
        association.start()

    def _listener_is_down(self) -> bool:
        try:
            return not self._listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            return True


def listening(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ImagingError: the port cannot be had.
    """
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise ImagingError(
            f"Port {port} cannot be listened on ({error.strerror}).", "Choose another, or end what holds it."
        ) from error
