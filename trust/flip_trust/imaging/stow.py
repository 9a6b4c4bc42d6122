"""DICOMweb's STOW-RS (PS3.18 section 10.5): ``POST /studies`` and ``POST /studies/{study}`` with DICOM files.

The standard library's server, a thread a request: a hospital's few senders need no more, and it adds no dependency.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from flip_trust.agent import log
from flip_trust.errors import ImagingError
from flip_trust.imaging.files import Kept, NotDicomError, keep
from flip_trust.imaging.multipart import BadBodyError, Parts, boundary_of
from flip_trust.imaging.spool import Spool, SpoolFullError, SpoolRefusedError
from flip_trust.tls import Tls

_PATH = re.compile(r"/studies(?:/([0-9.]{1,64}))?/?")
_CANNOT_UNDERSTAND, _NO_RESOURCES, _OTHER_STUDY = 0xC000, 0xA700, 0xC409
_log = logging.getLogger(__name__)


@dataclass
class _Answer:
    kept: list[Kept] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    @property
    def status(self) -> int:
        if not self.failed:
            return 200
        if self.kept:
            return 202
        return 503 if _NO_RESOURCES in self.failed else 409

    def content(self) -> bytes:
        """Table 10.5.3-1, as DICOM JSON. What could not be read has no UIDs to be named by."""
        answer: dict[str, Any] = {}
        if self.kept:
            answer["00081199"] = {"vr": "SQ", "Value": [_reference(one) for one in self.kept]}
        if self.failed:
            answer["00081198"] = {
                "vr": "SQ",
                "Value": [{"00081197": {"vr": "US", "Value": [reason]}} for reason in self.failed],
            }
        return json.dumps(answer).encode("ascii")


class Stow:
    """Listens until it is closed.

    Args:
        spool: where instances go.
        token: what senders show as ``Authorization: Bearer …``.
        host: address to listen on.
        port: 0 takes a free one.
        tls: to speak TLS only.
        patience: seconds of silence after which a sender is given up.

    Raises:
        ImagingError: the port cannot be had, or TLS cannot be set up.
    """

    def __init__(
        self, spool: Spool, token: str, host: str = "", port: int = 0, tls: Tls | None = None, patience: float = 120.0
    ) -> None:
        context = tls.context() if tls else None
        handler = type("Handler", (_Handler,), {"spool": spool, "token": token, "timeout": patience})
        try:
            self._server = _Server((host, port), handler, context)
        except OSError as error:
            raise ImagingError(
                f"Port {port} cannot be listened on ({error.strerror}).", "Choose another, or end what holds it."
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[_Handler], context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the request's own thread, so that a silent peer's handshake holds nobody else up."""
        if self._context:
            request.settimeout(30)
            request = self._context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 (the base class's)
        """A connection that broke off; nothing of it was answered."""
        log.event(_log, "stow.lost")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "FLIP", ""
    spool: Spool
    token: str

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_POST(self) -> None:
        path = _PATH.fullmatch(self.path)
        boundary = boundary_of(self.headers)
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {self.token}".encode()):
            self._refuse(401, "A bearer token is needed.", ("WWW-Authenticate", "Bearer"))
        elif path is None:
            self._refuse(404, "Send to /studies.")
        elif boundary is None:
            self._refuse(415, "Send multipart/related; type=application/dicom.")
        elif not self.spool.has_room(int(self.headers.get("Content-Length") or 0)):
            self._refuse(503, "The disk is nearly full.", ("Retry-After", "600"))
        else:
            self._store(boundary, path.group(1) or "")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a path holds a study's UID."""

    def _store(self, boundary: str, study: str) -> None:
        answer = _Answer()
        try:
            parts = Parts(self._body(), boundary)
            for _ in parts:
                self._keep(parts, study, answer)
        except (BadBodyError, ValueError):
            self._refuse(400, "The body is not what its headers say.")
            return
        log.event(_log, "stow.stored", kept=len(answer.kept), failed=len(answer.failed))
        if not (answer.kept or answer.failed):
            self._refuse(400, "There is no instance in it.")
            return
        extra = (("Retry-After", "600"),) if answer.status == 503 else ()
        self._answer(answer.status, answer.content(), "application/dicom+json", *extra)

    def _keep(self, parts: Parts, study: str, answer: _Answer) -> None:
        try:
            answer.kept.append(keep(self.spool, parts.content(), study))
        except NotDicomError as error:
            log.failure(_log, "stow.refused", error)
            answer.failed.append(_OTHER_STUDY if error.other_study else _CANNOT_UNDERSTAND)
        except SpoolRefusedError:
            answer.failed.append(_CANNOT_UNDERSTAND)
        except (SpoolFullError, OSError) as error:
            log.failure(_log, "stow.refused", error)
            answer.failed.append(_NO_RESOURCES)

    def _body(self) -> Callable[[int], bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return _Chunked(self.rfile.readline, self.rfile.read).read
        left = int(self.headers.get("Content-Length") or 0)

        def read(most: int) -> bytes:
            nonlocal left
            content = self.rfile.read(min(most, left))
            left -= len(content)
            return content

        return read

    def _refuse(self, status: int, why: str, *headers: tuple[str, str]) -> None:
        self.close_connection = True
        self._answer(status, why.encode("ascii"), "text/plain", ("Connection", "close"), *headers)

    def _answer(self, status: int, content: bytes, kind: str, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(content))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class _Chunked:
    """A body in chunks (RFC 9112 section 7.1)."""

    def __init__(self, line: Callable[[int], bytes], read: Callable[[int], bytes]) -> None:
        self._line, self._read, self._left, self._ended = line, read, 0, False

    def read(self, most: int) -> bytes:
        if not self._left and not self._ended:
            self._left = int(self._line(64).split(b";")[0], 16)
            self._ended = not self._left
            if self._ended:
                self._line(64)
        if self._ended or self._left < 0:
            return b""
        content = self._read(min(most, self._left))
        self._left -= len(content)
        if not self._left:
            self._line(64)
        return content


def _reference(one: Kept) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [one.sop_class]},
        "00081155": {"vr": "UI", "Value": [one.sop_instance]},
    }
