"""One worker process, as the agent sees it: started, asked, ended."""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from flip_sdk.contract.tasks import RefusalCode

from flip_trust.engine import frames
from flip_trust.engine.records import EngineError
from flip_trust.engine.sandbox import SandboxKind, worker_command

_LOG = logging.getLogger(__name__)
_LOG_TAIL = 2000


class Worker:
    """A started worker with its slot: ``<slots>/<name>/data`` is what it sees, ``worker.log`` what it says."""

    def __init__(self, slots: Path, sandbox: SandboxKind, memory_bytes: int) -> None:
        self._slot = slots / secrets.token_hex(8)
        self.data = self._slot / "data"
        self.data.mkdir(mode=0o700, parents=True)
        self._slot.chmod(0o700)
        command, environment = worker_command(sandbox, self.data, memory_bytes)
        self._channel, theirs = socket.socketpair()
        with theirs, (self._slot / "worker.log").open("wb") as log:
            self._process = _start(command, environment, theirs.fileno(), log.fileno())
        self._ready = False

    @property
    def pid(self) -> int:
        """Process id, of the sandbox where there is one: killing it kills the worker."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait_ready(self, deadline: float) -> None:
        """Wait until it is warm; ``deadline`` is on ``time.monotonic``.

        Raises:
            EngineError: ENGINE_FAILED.
        """
        if not self._ready:
            self._receive(deadline, 0)
            self._ready = True

    def ask(self, header: dict[str, Any], payload: bytes, seconds: float, most: int) -> bytes:
        """Send one request and return the payload of its answer.

        Raises:
            EngineError: with the worker's reason; ENGINE_FAILED where it died, hung or answered nonsense (it is ended).
        """
        deadline = time.monotonic() + seconds
        if not self.alive:
            # the sandbox is gone; what was in it may live a moment longer, but is no longer held by anything
            raise self._failure("the worker has ended")
        try:
            frames.send(self._channel, header, payload, deadline)
        except frames.FrameError as error:
            raise self._failure(str(error)) from error
        answer, tensors = self._receive(deadline, most)
        if answer.get("ok") is True:
            return tensors
        raise EngineError(_code(answer.get("code")), str(answer.get("detail", ""))[:500])

    def end(self) -> None:
        """Kill it and delete its slot."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._channel.close()
        shutil.rmtree(self._slot, ignore_errors=True)

    def _receive(self, deadline: float, most: int) -> tuple[dict[str, Any], bytes]:
        try:
            return frames.receive(self._channel, deadline, most)
        except frames.FrameError as error:
            raise self._failure(str(error)) from error

    def _failure(self, what: str) -> EngineError:
        said = self._tail()
        self.end()
        _LOG.error("An engine worker failed: %s. It said: %s", what, said or "nothing")
        return EngineError(RefusalCode.ENGINE_FAILED, what)

    def _tail(self) -> str:
        try:
            return (self._slot / "worker.log").read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace").strip()
        except OSError:
            return ""


def _start(command: list[str], environment: dict[str, str], channel: int, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - the command is ours
        command, stdin=channel, stdout=log, stderr=log, env=environment, cwd="/", start_new_session=True
    )


def _code(given: object) -> RefusalCode:
    allowed = (RefusalCode.MODEL_REFUSED, RefusalCode.MODEL_TOO_LARGE, RefusalCode.GRAPH_MISSING)
    return next((code for code in allowed if code.value == given), RefusalCode.ENGINE_FAILED)
