"""One association: C-STORE and C-ECHO as the acceptor, on a connected socket (PS3.7 section 9, PS3.8 section 9.3).

pynetdicom's own acceptor polls between two threads, reads 4 kB at a time and holds each instance in memory. Here one
thread reads whole PDUs into one buffer and writes each fragment to the spool as it comes, so memory does not grow with
the instance.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Iterator

from flip_trust.agent import log
from flip_trust.errors import TrustError
from flip_trust.imaging import dimse
from flip_trust.imaging.negotiation import Agreed, NotAcceptedError, Rules, negotiate
from flip_trust.imaging.part10 import file_start, is_uid
from flip_trust.imaging.spool import Incoming, Spool, SpoolFullError, SpoolRefusedError

_ASSOCIATE, _DATA, _RELEASE, _ABORT = 1, 4, 5, 7
_RELEASED = b"\x06\0\0\0\0\4\0\0\0\0"
_ABORTED_BY_US = b"\x07\0\0\0\0\4\0\0\2\0"
_LARGEST_ASSOCIATE = 1 << 20
_LARGEST_COMMAND = 1 << 16
_log = logging.getLogger(__name__)


class PeerGoneError(TrustError):
    """The peer hung up or fell silent."""


class PeerWrongError(TrustError):
    """The peer does not keep to the protocol; the association is aborted."""


class Association(threading.Thread):
    """Serves one connection until the peer releases it, hangs up, or :meth:`end` is called.

    Args:
        connection: the socket; wrapped in TLS already, its handshake not yet made.
        spool: where instances go.
        rules: who may send.
        full: whether it is one too many, and is to be told so.
        patience: seconds of silence after which the peer is given up.
    """

    def __init__(self, connection: socket.socket, spool: Spool, rules: Rules, *, full: bool, patience: float) -> None:
        super().__init__(name="association", daemon=True)
        self._socket, self._spool, self._rules, self._full = connection, spool, rules, full
        self._patience = patience
        self._buffer = memoryview(bytearray(rules.max_pdu))
        self._ending, self._idle = threading.Event(), True
        self._turn = threading.Lock()
        self._counts = {"new": 0, "same": 0, "conflict": 0, "refused": 0}

    def end(self) -> None:
        """Finish the instance that is under way, if one is, then abort."""
        with self._turn:
            self._ending.set()
            if self._idle:
                self._hang_up()

    def cut(self) -> None:
        """Hang up, whatever is under way."""
        with self._turn:
            self._hang_up()

    def run(self) -> None:
        """Serve the peer; whatever it does, only this association ends."""
        sender = ""
        try:
            self._socket.settimeout(self._patience)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            agreed = self._negotiate()
            sender = agreed.sender
            _Messages(self, agreed, self._spool).serve()
        except NotAcceptedError as refusal:
            log.event(_log, "association.refused", why=refusal.why, sender=refusal.sender)
            self.send(refusal.answer)
        except PeerGoneError:
            log.event(_log, "association.lost", sender=sender)
        except (TrustError, OSError, MemoryError) as error:
            log.failure(_log, "association.aborted", error, sender=sender)
            self.send(_ABORTED_BY_US)
        finally:
            with self._turn:
                self._socket.close()
        if sender:
            log.event(_log, "association.ended", sender=sender, **self._counts)

    def pdus(self) -> Iterator[memoryview]:
        """The P-DATA-TF PDUs' content, until the peer releases. Each is overwritten by the next.

        Raises:
            PeerGoneError: it hung up or aborted.
            PeerWrongError: it sent something else, or more than was agreed.
        """
        while True:
            kind, length = self._header()
            if kind == _DATA:
                if length > len(self._buffer):
                    raise PeerWrongError
                yield self._read(self._buffer[:length])
            elif kind == _RELEASE:
                self.send(_RELEASED)
                return
            else:
                raise PeerGoneError if kind == _ABORT else PeerWrongError

    def send(self, content: bytes) -> None:
        """Send bytes; a peer that is gone is found out by the next read."""
        with contextlib.suppress(OSError):
            self._socket.sendall(content)

    def count(self, outcome: str) -> None:
        """Count an instance, for the line that is logged at the end."""
        self._counts[outcome] += 1

    def begin(self) -> None:
        """An instance is under way: :meth:`end` waits for it."""
        with self._turn:
            self._idle = False

    def finished(self) -> None:
        """The instance is answered.

        Raises:
            PeerGoneError: it is time to end.
        """
        with self._turn:
            self._idle = True
            if self._ending.is_set():
                self.send(_ABORTED_BY_US)
                raise PeerGoneError

    def _negotiate(self) -> Agreed:
        kind, length = self._header()
        if kind != _ASSOCIATE or length > _LARGEST_ASSOCIATE:
            raise PeerWrongError
        content = bytes(self._read(memoryview(bytearray(length))))
        try:
            agreed = negotiate(struct.pack(">BBL", kind, 0, length) + content, self._rules, full=self._full)
        except NotAcceptedError:
            raise
        except Exception as error:
            raise PeerWrongError from error
        self.send(agreed.answer)
        return agreed

    def _header(self) -> tuple[int, int]:
        kind, _, length = struct.unpack(">BBL", self._read(memoryview(bytearray(6))))
        return kind, length

    def _read(self, into: memoryview) -> memoryview:
        left = into
        while left:
            try:
                count = self._socket.recv_into(left)
            except OSError as error:
                raise PeerGoneError from error
            if not count:
                raise PeerGoneError
            left = left[count:]
        return into

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class _Messages:
    """The DIMSE messages of one association, put together out of their fragments (PS3.8 annex E)."""

    def __init__(self, association: Association, agreed: Agreed, spool: Spool) -> None:
        self._association, self._agreed, self._spool = association, agreed, spool
        self._command = bytearray()
        self._request: dimse.Request | None = None
        self._instance: Incoming | None = None
        self._status = dimse.SUCCESS

    def serve(self) -> None:
        try:
            for pdu in self._association.pdus():
                self._take(pdu)
        finally:
            if self._instance:
                self._instance.discard()

    def _take(self, pdu: memoryview) -> None:
        while pdu:
            if len(pdu) < 6:
                raise PeerWrongError
            length, context, control = struct.unpack_from(">LBB", pdu)
            if length < 2 or length + 4 > len(pdu) or context not in self._agreed.contexts:
                raise PeerWrongError
            fragment, pdu, last = pdu[6 : length + 4], pdu[length + 4 :], bool(control & 2)
            if control & 1:
                self._take_command(context, fragment, last)
            else:
                self._take_data(context, fragment, last)

    def _take_command(self, context: int, fragment: memoryview, last: bool) -> None:
        self._command += fragment
        if self._request or len(self._command) > _LARGEST_COMMAND:
            raise PeerWrongError
        if not last:
            return
        request = dimse.parse_request(bytes(self._command))
        self._command.clear()
        if request.command == dimse.CANCEL_REQUEST:
            return
        if request.has_data:
            self._request = request
            self._association.begin()
            self._status = self._begin(context, request)
        else:
            known = request.command == dimse.ECHO_REQUEST
            self._answer(context, request, dimse.SUCCESS if known else dimse.UNRECOGNISED)

    def _begin(self, context: int, request: dimse.Request) -> int:
        if request.command != dimse.STORE_REQUEST:
            return dimse.UNRECOGNISED
        if not (is_uid(request.sop_instance) and is_uid(request.sop_class)):
            return dimse.BAD_UID
        start = file_start(
            request.sop_class, request.sop_instance, self._agreed.contexts[context][1], self._agreed.sender
        )
        try:
            self._instance = self._spool.begin()
            self._instance.write(start)
        except (SpoolFullError, OSError) as error:
            return self._lost(error)
        return dimse.SUCCESS

    def _take_data(self, context: int, fragment: memoryview, last: bool) -> None:
        request = self._request
        if request is None:
            raise PeerWrongError
        if self._instance:
            try:
                self._instance.write(fragment)
            except (SpoolFullError, OSError) as error:
                self._status = self._lost(error)
        if last:
            self._request = None
            self._answer(context, request, self._finish(request))
            self._association.finished()

    def _finish(self, request: dimse.Request) -> int:
        instance, self._instance = self._instance, None
        if instance is None:
            self._association.count("refused")
            return self._status
        try:
            self._association.count(instance.commit(request.sop_instance).outcome)
        except (SpoolFullError, SpoolRefusedError, OSError) as error:
            self._association.count("refused")
            return self._lost(error)
        return dimse.SUCCESS

    def _lost(self, error: Exception) -> int:
        """The status of an instance that is not kept; what is still to come of it is read and dropped."""
        if self._instance:
            self._instance.discard()
            self._instance = None
        log.failure(_log, "instance.refused", error, sender=self._agreed.sender)
        return dimse.CANNOT_UNDERSTAND if isinstance(error, SpoolRefusedError) else dimse.OUT_OF_RESOURCES

    def _answer(self, context: int, request: dimse.Request, status: int) -> None:
        comment = "disk nearly full, try again later" if status == dimse.OUT_OF_RESOURCES else ""
        command = dimse.response(request, status, comment)
        value = struct.pack(">LBB", len(command) + 2, context, 3) + command
        self._association.send(struct.pack(">BBL", _DATA, 0, len(value)) + value)
