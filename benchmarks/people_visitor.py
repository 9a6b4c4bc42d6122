"""A simulated person: signs in, opens pages, polls a job, works in a workspace. One process plays them all."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.people_home import PASSWORD

SERVICE = "/services/flip"
PATIENCE = 60.0
"""Seconds that a person waits for a page, before it counts as an error."""
SPAWN_PATIENCE = 120.0


@dataclass
class Seen:
    """What people met.

    Attributes:
        times: milliseconds, for each kind of thing that they waited for.
        errors: what went wrong, in words.
    """

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)


class Person:
    """One of them.

    Args:
        url: the hub's.
        number: which one; their project and their job have the same.
        transport: everybody's connections.
        seen: where it is written down what they met.
    """

    def __init__(self, url: str, number: int, transport: httpx.AsyncHTTPTransport, seen: Seen) -> None:
        self.name, self.project, self._url, self._seen = f"person-{number}", f"project-{number}", url, seen
        self._number = number
        self._client = httpx.AsyncClient(
            base_url=url, transport=transport, follow_redirects=True, timeout=PATIENCE, trust_env=False
        )

    async def sign_in(self) -> None:
        """From the sign-in page to the list of projects, over JupyterHub's OAuth."""
        async with self._timed("signing in"):
            await self._get("/hub/login")
            form = {"username": self.name, "password": PASSWORD, "_xsrf": self._xsrf("/hub/")}
            answer = await self._client.post("/hub/login", params={"next": f"{SERVICE}/"}, data=form)
            self._require(answer, answer.url.path == f"{SERVICE}/")

    async def open_page(self, turn: int) -> None:
        """One of the pages that a researcher goes through."""
        own = f"projects/{self.project}"
        pages = ("", own, f"{own}/application", f"jobs/job-{self._number}", "catalogue", f"{own}/versions")
        async with self._timed("a page"):
            await self._get(f"{SERVICE}/{pages[turn % len(pages)]}")

    async def poll(self) -> None:
        """What became of the job, through the API."""
        token = self._client.cookies.get("flip-session") or ""
        async with self._timed("a poll"):
            path = f"{SERVICE}/api/jobs/job-{self._number}/events"
            await self._get(path, headers={"Authorization": f"token {token}"})

    async def open_workspace(self) -> str:
        """Start the workspace and a kernel in it; the kernel's channels."""
        async with self._timed("a workspace, from the click to a kernel"):
            await self._get(f"/hub/spawn/{self.name}/{self.project}")
            until = time.monotonic() + SPAWN_PATIENCE
            while not await self._is_ready():
                if time.monotonic() > until:
                    raise RuntimeError(f"no workspace after {SPAWN_PATIENCE:.0f} s")
                await asyncio.sleep(1)
            base = f"/user/{self.name}/{self.project}/"
            await self._get(base + "lab")
            body = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
            headers = {"X-XSRFToken": self._xsrf(base), "Referer": f"{self._url}/hub/home"}
            answer = await self._client.post(base + "api/sessions", json=body, headers=headers)
            self._require(answer, answer.status_code == httpx.codes.CREATED)
            return f"{base}api/kernels/{answer.json()['kernel']['id']}/channels"

    async def work(self, channels: str, think: Callable[[], float]) -> None:
        """Run a cell now and then, until cancelled."""
        request = httpx.Request("GET", f"{self._url}{channels}")
        self._client.cookies.set_cookie_header(request)
        address = str(request.url.copy_with(scheme="ws"))
        headers = {"Cookie": request.headers["Cookie"]}
        async with connect(address, additional_headers=headers, origin=self._url, proxy=None) as socket:
            while True:
                async with self._timed("a cell"):
                    await asyncio.wait_for(_run(socket, "sum(range(10_000))"), PATIENCE)
                await asyncio.sleep(think())

    async def _is_ready(self) -> bool:
        headers = {"X-XSRFToken": self._xsrf("/hub/"), "Referer": f"{self._url}/hub/home"}
        answer = await self._client.get(f"/hub/api/users/{self.name}", headers=headers)
        self._require(answer, answer.is_success)
        return bool(answer.json().get("servers", {}).get(self.project, {}).get("ready"))

    async def _get(self, path: str, **options: dict[str, str]) -> None:
        answer = await self._client.get(path, **options)
        self._require(answer, (answer.is_success and "/hub/login" not in answer.url.path) or path == "/hub/login")

    def _require(self, answer: httpx.Response, good: bool) -> None:
        if not good:
            raise RuntimeError(f"{answer.status_code} at {answer.url.path}: {answer.text[:200]}")

    @asynccontextmanager
    async def _timed(self, what: str) -> AsyncIterator[None]:
        begun = time.perf_counter()
        try:
            yield
        except (httpx.HTTPError, OSError, RuntimeError, TimeoutError) as error:
            self._seen.errors.append(f"{self.name}, {what}: {type(error).__name__} {error}")
        else:
            self._seen.times[what].append(1000 * (time.perf_counter() - begun))

    def _xsrf(self, path: str) -> str:
        tokens = {cookie.path: cookie.value for cookie in self._client.cookies.jar if cookie.name == "_xsrf"}
        return tokens.get(max((part for part in tokens if path.startswith(part)), key=len, default="")) or ""


async def _run(socket: ClientConnection, code: str) -> None:
    """Execute a cell, and wait for its reply."""
    asked = uuid.uuid4().hex
    header = {"msg_id": asked, "msg_type": "execute_request", "username": "", "session": "s", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    await socket.send(json.dumps(message))
    async for frame in socket:
        if isinstance(frame, str):
            answer = json.loads(frame)
            if answer["msg_type"] == "execute_reply" and answer["parent_header"].get("msg_id") == asked:
                if answer["content"]["status"] != "ok":
                    raise RuntimeError("the cell failed")
                return
    raise RuntimeError("the kernel hung up")
