"""``flip-trust receive``: the ports, and the processes beside them that index and de-identify what came."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flip_trust import encryption
from flip_trust.agent import log
from flip_trust.config import TrustConfig
from flip_trust.errors import ImagingError
from flip_trust.imaging import workers
from flip_trust.imaging.negotiation import Rules
from flip_trust.imaging.receiver import Receiver
from flip_trust.imaging.spool import GIGABYTE, Spool
from flip_trust.imaging.stow import Stow
from flip_trust.keys import write_private
from flip_trust.scaleout import Where
from flip_trust.tls import Tls

TOKEN_FILE = "stow.token"  # noqa: S105 (a file's name)
ONE = Where(workers=1)
_TOLD_FILE = "receiving"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listening:
    """What ``flip-trust receive`` listens to.

    Attributes:
        rules: who may send by C-STORE.
        host: address to listen on.
        port: of C-STORE.
        stow_port: of STOW-RS; None: not at all.
        tls: both ports speak TLS only.
        keep_free: bytes of the disk that stay free.
        index: whether what comes is indexed at once.
        deidentify: whether what is indexed is de-identified at once.
        where: on what that is done.
    """

    rules: Rules
    host: str
    port: int
    stow_port: int | None = None
    tls: Tls | None = None
    keep_free: int = 5 * GIGABYTE
    index: bool = True
    deidentify: bool = True
    where: Where = ONE


def serve(config: TrustConfig, listening: Listening, stop: threading.Event) -> None:
    """Receive until ``stop`` is set; then finish what is under way.

    Raises:
        ImagingError: a port, a folder or the TLS files cannot be used.
    """
    os.umask(0o077)
    encryption.required(config)
    with ExitStack() as stack:
        spool = stack.enter_context(Spool(config.home / "imaging", listening.keep_free))
        if listening.index:
            stack.enter_context(workers.at_work(workers.keep_indexed, config.home))
        if listening.index and listening.deidentify:
            cleaning = (workers.keep_cleaned, config.home, listening.keep_free, listening.where)
            stack.enter_context(workers.at_work(*cleaning))
        receiver = stack.enter_context(Receiver(spool, listening.rules, listening.host, listening.port, listening.tls))
        stack.enter_context(_told(config.home, listening.rules.ae_title, receiver.port))
        log.event(_log, "receiver.started", ae_title=listening.rules.ae_title, port=receiver.port)
        if listening.stow_port is not None:
            stow = Stow(spool, token_of(config.home), listening.host, listening.stow_port, listening.tls)
            stack.enter_context(stow)
            log.event(_log, "stow.started", port=stow.port)
        stop.wait()
    log.event(_log, "receiver.stopped")


def runs(home: Path, ae_title: str, port: int) -> bool:
    """Whether a receiver of this Trust listens as this AE title on this port."""
    path = home / "imaging" / _TOLD_FILE
    if not path.exists():
        return False
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return bool(stream.read() == _told_line(ae_title, port))
    return False


@contextmanager
def _told(home: Path, ae_title: str, port: int) -> Iterator[None]:
    """Tell other programs of this Trust, for as long as this one lives, what it listens to."""
    with (home / "imaging" / _TOLD_FILE).open("ab", buffering=0) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # a second receiver on another port: the first is told of
        else:
            stream.truncate(0)
            stream.write(_told_line(ae_title, port))
        yield


def _told_line(ae_title: str, port: int) -> bytes:
    return f"{ae_title} {port}\n".encode()


def token_of(home: Path) -> str:
    """What DICOMweb senders show; made at first use, in a file that only its owner can read.

    Raises:
        ImagingError: it cannot be read or written.
    """
    path = home / "imaging" / TOKEN_FILE
    try:
        if not path.exists():
            write_private(path, (secrets.token_urlsafe(32) + "\n").encode())
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImagingError(f"{path} cannot be used.", "Check its owner, or remove it to have a new one.") from error
