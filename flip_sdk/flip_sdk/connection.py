"""Calls to the hub's JSON API: records in, records out, every failure a PublicError.

Every call of the SDK may be repeated without harm (a job carries an idempotency key, a blob its digest), so all of them
are retried while the hub restarts, with a line that says so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from copy import copy
from types import GenericAlias, TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from flip_sdk.contract.api import ErrorBody
from flip_sdk.contract.records import Record, digest
from flip_sdk.errors import (
    ConnectionFailedError,
    ModelError,
    NotAllowedError,
    NotFoundError,
    PublicError,
    RecordError,
    SignatureError,
    SpecError,
)
from flip_sdk.settings import Settings

SomeRecord = TypeVar("SomeRecord", bound=Record)
Parsed = TypeVar("Parsed")
Notify = Callable[[str], None]
PATIENCE = 30.0
"""Seconds for which an unreachable hub is tried again."""
_AWAY = frozenset({502, 503, 504})
_BY_CODE: dict[str, type[PublicError]] = {
    "not_now": NotAllowedError,
    **{kind.code: kind for kind in (ModelError, NotAllowedError, NotFoundError, ConnectionFailedError, SignatureError)},
}
_BY_STATUS: dict[int, type[PublicError]] = {
    401: ConnectionFailedError,
    403: NotAllowedError,
    404: NotFoundError,
}
_MENDS = {
    401: "Your token is not valid here: run `flip login` again, or restart the workspace.",
    403: "Ask the project's owner or the hub's operator who may do this.",
    404: "Check the name; hub.projects() lists the projects you belong to.",
    413: "Send less: a smaller model or notebook.",
}


def say(line: str) -> None:
    """Tell the person in front of the notebook or terminal."""
    print(line, file=sys.stderr, flush=True)


class Connection:
    """One person's line to one hub."""

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        notify: Notify = say,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.notify = notify
        self._clock = clock
        self._sleep = sleep
        self._client = httpx.Client(
            base_url=settings.api + "/",
            headers={"Authorization": f"token {settings.token}", "Accept": "application/json"},
            timeout=httpx.Timeout(30.0, connect=5.0),
            transport=transport,
            trust_env=not settings.is_loopback,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the sockets back."""
        self._client.close()

    def quietly(self) -> Connection:
        """The same line, with a ``notify`` of its own: for a thread beside the person's."""
        other = copy(self)
        other.notify = lambda _: None
        return other

    def get(self, path: str, record: type[SomeRecord]) -> SomeRecord:
        """One record."""
        return _parse(self._call("GET", path), TypeAdapter(record))

    def get_all(self, path: str, record: type[SomeRecord]) -> list[SomeRecord]:
        """A list of records."""
        schema: TypeAdapter[list[SomeRecord]] = TypeAdapter(GenericAlias(list, (record,)))  # type: ignore[arg-type]
        return _parse(self._call("GET", path), schema)

    def wait(self, path: str, record: type[SomeRecord], seconds: float, patience: float = PATIENCE) -> SomeRecord:
        """One record that the hub may hold back for some seconds (long poll)."""
        response = self._call("GET", path, timeout=httpx.Timeout(seconds + 15, connect=5), patience=patience)
        return _parse(response, TypeAdapter(record))

    def post(self, path: str, body: Record | None, record: type[SomeRecord]) -> SomeRecord:
        """Send a record (or nothing) and read the answer."""
        content = body.canonical() if body is not None else b"{}"
        response = self._call("POST", path, content=content, headers={"Content-Type": "application/json"})
        return _parse(response, TypeAdapter(record))

    def put(self, path: str, content: bytes) -> None:
        """Send some bytes."""
        self._call("PUT", path, content=content, headers={"Content-Type": "application/octet-stream"})

    def content(self, path: str) -> bytes:
        """The bytes that are answered."""
        return self._call("GET", path).content

    def pause(self, seconds: float) -> None:
        """Wait a little, before asking again."""
        self._sleep(seconds)

    def upload(self, project_id: str, content: bytes) -> str:
        """Store bytes under their digest, for this project, and return the digest."""
        address = digest(content)
        self.put(f"projects/{project_id}/blobs/{address}", content)
        return address

    def download(self, project_id: str, address: str) -> bytes:
        """The bytes of a digest, checked against it.

        Raises:
            ConnectionFailedError: what came is not what was asked for.
        """
        content = self._call("GET", f"projects/{project_id}/blobs/{address}").content
        if digest(content) != address:
            raise ConnectionFailedError(
                "The hub's answer was damaged on the way.", "Ask again; if it stays, tell its operator."
            )
        return content

    def _call(self, method: str, path: str, *, patience: float = PATIENCE, **arguments: Any) -> httpx.Response:
        began, pause, told = self._clock(), 0.25, False
        while True:
            response, reason = self._try(method, path, arguments)
            if response is not None and not _is_away(response):
                break
            if self._clock() - began + pause > patience:
                raise self._given_up(response, reason)
            if not told:
                self.notify(f"The hub does not answer ({reason}); trying again for {patience:.0f} s …")
                told = True
            self._sleep(pause)
            pause = min(pause * 2, 4.0)
        if told:
            self.notify("The hub answers again.")
        if not response.is_success:
            raise error_of(response)
        return response

    def _try(self, method: str, path: str, arguments: dict[str, Any]) -> tuple[httpx.Response | None, str]:
        try:
            response = self._client.request(method, path, **arguments)
        except httpx.TransportError as error:
            return None, type(error).__name__
        return response, f"it answers {response.status_code}"

    def _given_up(self, response: httpx.Response | None, reason: str) -> PublicError:
        if response is not None and _is_json(response):
            return error_of(response)
        return ConnectionFailedError(
            f"The hub at {self.settings.api} cannot be reached ({reason}).",
            "Check your network; if others cannot reach it either, tell its operator. Jobs go on meanwhile.",
        )


def _is_away(response: httpx.Response) -> bool:
    """Whether nobody is there: a proxy says so, or has no route yet and answers a page where the API answers JSON."""
    return response.status_code in _AWAY or (response.status_code == httpx.codes.NOT_FOUND and not _is_json(response))


def _is_json(response: httpx.Response) -> bool:
    return bool(response.headers.get("content-type", "").startswith("application/json"))


def error_of(response: httpx.Response) -> PublicError:
    """The PublicError that an answer which is not a success means."""
    status = response.status_code
    if response.is_redirect:
        return ConnectionFailedError("The hub asks for a sign-in.", _MENDS[401])
    try:
        body = ErrorBody.parse(response.content)
    except RecordError:
        body = ErrorBody(code="", message=f"The hub answers {status} {response.reason_phrase}.")
    if body.violations:
        return SpecError(body.violations)
    kind = _BY_CODE.get(body.code) or _BY_STATUS.get(status, PublicError)
    message = f"{body.message} (policy: {body.policy})" if body.policy else body.message
    ours = _MENDS[401] if status == httpx.codes.UNAUTHORIZED else ""
    error = kind(message, ours or body.mend or _MENDS.get(status, "Try again; if it stays, tell the hub's operator."))
    if body.code:
        error.code = body.code
    return error


def _parse(response: httpx.Response, schema: TypeAdapter[Parsed]) -> Parsed:
    try:
        return schema.validate_json(response.content)
    except ValidationError as error:
        raise ConnectionFailedError(
            "The hub's answer is not what this version of flip-sdk expects.",
            f"Compare versions with the hub's operator ({error.error_count()} fields differ).",
        ) from error
