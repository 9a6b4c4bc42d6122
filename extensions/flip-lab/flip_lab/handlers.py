"""The addresses under ``flip/``. Jupyter Server has seen who asks, and their XSRF token, before any of this runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any

from flip_sdk.connection import Connection
from flip_sdk.contract.api import JobView
from flip_sdk.errors import ConnectionFailedError, NotAllowedError, NotFoundError, PublicError, SpecError
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from flip_lab import counting, leaving, templates
from flip_lab.cohorts import AskedCohort, concepts_of
from flip_lab.lab import Lab

KEEP_ALIVE = 20.0
"""Seconds after which a silent stream says that it is still there, so that no proxy closes it."""
_STATUS: dict[type[PublicError], int] = {NotAllowedError: 403, NotFoundError: 404, ConnectionFailedError: 503}
Method = Callable[..., Awaitable[None]]


def told(method: Method) -> Callable[..., Coroutine[Any, Any, None]]:
    """A refusal is answered with its words: what is wrong, and what to do next."""

    @wraps(method)
    async def answering(self: Address, *words: str) -> None:
        try:
            await method(self, *words)
        except PublicError as error:
            self.refuse(error)

    return answering


class Address(APIHandler):  # type: ignore[misc]
    """One address of the panel's."""

    auth_resource = "flip"

    def initialize(self, lab: Lab) -> None:
        """Take what all addresses share."""
        self.lab = lab

    def answer(self, content: Any) -> None:
        """Answer some JSON."""
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(content))

    def refuse(self, error: PublicError) -> None:
        """Answer why not."""
        kinds = (status for kind, status in _STATUS.items() if isinstance(error, kind))
        self.set_status(next(kinds, 422))
        found = error.violations if isinstance(error, SpecError) else ()
        self.answer(
            {
                "message": "This cannot be sent as it is." if found else error.message,
                "mend": "" if found else error.mend,
                "violations": [one.model_dump(mode="json") for one in found],
            }
        )

    async def hub(self, question: Callable[[Connection], Any]) -> Any:
        """Ask the hub."""
        return await self.lab.hub.ask(question)


class Stream(Address):
    """Everything of the project as it is, and each change, as server-sent events."""

    # an open page is nobody's activity: an idle workspace is stopped although one is open
    _track_activity = False
    _telling: asyncio.Future[None] | None = None

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Tell until the page goes."""
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        reader = self.lab.feed.follow()
        self._telling = asyncio.ensure_future(self._tell(reader))
        try:
            await asyncio.wait({self._telling})
            if not self._telling.cancelled():
                self._telling.result()
        except StreamClosedError:
            self.log.debug("A page has gone.")
        finally:
            await reader.aclose()  # type: ignore[attr-defined]

    def on_connection_close(self) -> None:
        """The page has gone: nothing is asked for it any more."""
        if self._telling is not None:
            self._telling.cancel()

    async def _tell(self, reader: Any) -> None:
        upcoming = asyncio.ensure_future(anext(reader))
        try:
            while True:
                done, _ = await asyncio.wait({upcoming}, timeout=KEEP_ALIVE)
                if not done:
                    self.write(": still here\n\n")
                else:
                    try:
                        part, content = upcoming.result()
                    except StopAsyncIteration:
                        return
                    self.write(f"event: {part}\ndata: {json.dumps(content)}\n\n")
                    upcoming = asyncio.ensure_future(anext(reader))
                await self.flush()
        finally:
            upcoming.cancel()
            await asyncio.wait({upcoming})


class Cancelling(Address):
    """Ends a job."""

    @web.authenticated
    @authorized
    @told
    async def post(self, job_id: str) -> None:
        """Ask the hub to stop a job."""
        view = await self.hub(lambda hub: hub.post(f"jobs/{job_id}/cancel", None, JobView))
        self.answer({"state": view.state.value})


class Counts(Address):
    """What a count released."""

    @web.authenticated
    @authorized
    @told
    async def get(self, job_id: str) -> None:
        """Persons at each Trust."""
        self.answer(await self.hub(lambda hub: counting.counts(hub, job_id)))


class Concepts(Address):
    """What the project's Trusts hold."""

    @web.authenticated
    @authorized
    @told
    async def get(self) -> None:
        """The catalogue's concepts."""
        found = await self.hub(lambda hub: counting.catalogue(hub, self.lab.hub.project_id))
        self.answer(concepts_of(found))


class Describing(Address):
    """A cohort's words, code and price."""

    @web.authenticated
    @authorized
    @told
    async def post(self) -> None:
        """Describe it; nothing is submitted."""
        asked = AskedCohort.parse(self.request.body)
        self.answer(await self.hub(lambda hub: counting.described(hub, self.lab.hub.project_id, asked)))


class Counting(Address):
    """Counts a cohort."""

    @web.authenticated
    @authorized
    @told
    async def post(self) -> None:
        """Submit the count; the panel shows how it goes."""
        asked = AskedCohort.parse(self.request.body)
        view = await self.hub(lambda hub: counting.count(hub, self.lab.hub.project_id, asked))
        self.set_status(201)
        self.answer({"id": view.job_id})


class Checks(Address):
    """The airlock's checks beforehand."""

    @web.authenticated
    @authorized
    @told
    async def post(self) -> None:
        """Run them; nothing is submitted."""
        asked, lab = leaving.AskedFiles.parse(self.request.body), self.lab
        self.answer(await self.hub(lambda hub: leaving.check(lab.hub.project(hub), lab.root, asked)))


class Releases(Address):
    """Release requests."""

    @web.authenticated
    @authorized
    @told
    async def post(self) -> None:
        """Ask for files to be released."""
        asked, lab = leaving.AskedFiles.parse(self.request.body), self.lab
        made = await self.hub(lambda hub: leaving.request(lab.hub.project(hub), lab.root, asked))
        self.set_status(201)
        self.answer(made)


class Dashboards(Address):
    """Dashboards."""

    @web.authenticated
    @authorized
    @told
    async def post(self) -> None:
        """Publish a notebook for the project's team."""
        asked, lab = leaving.AskedDashboard.parse(self.request.body), self.lab
        made = await self.hub(lambda hub: leaving.publish(lab.hub.project(hub), lab.root, asked))
        self.set_status(201)
        self.answer(made)


class Templates(Address):
    """Notebooks to begin with."""

    @web.authenticated
    @authorized
    @told
    async def get(self, name: str) -> None:
        """A notebook's content."""
        self.answer(templates.notebook(name))


ROUTES: tuple[tuple[str, type[Address]], ...] = (
    (r"stream", Stream),
    (r"concepts", Concepts),
    (r"cohorts/description", Describing),
    (r"cohorts/count", Counting),
    (r"jobs/([A-Za-z0-9_-]{1,64})/cancel", Cancelling),
    (r"jobs/([A-Za-z0-9_-]{1,64})/counts", Counts),
    (r"releases/checks", Checks),
    (r"releases", Releases),
    (r"dashboards", Dashboards),
    (r"templates/([a-z_-]{1,40})", Templates),
)
