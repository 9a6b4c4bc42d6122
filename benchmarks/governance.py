"""How long do reviewers wait for a page of a hub with 10,000 projects and a million audit rows?

Fifty page loads a second are begun on time, whether the ones before have come or not (an open loop), by another
process, over what a reviewer opens. The service is the real one, over SQLite; a table of tokens stands in for
JupyterHub's sign-in. The peer is the same load on a hub with twenty projects, before and on the same machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx
from flip_hub.config import HubConfig

from benchmarks.governance_hub import REVIEWERS, fill
from benchmarks.rows import Row

PROJECTS = 10_000
ENTRIES = 1_000_000
FEW = 20
A_SECOND = 50
SECONDS = 20
BAR_MS = 150
_BASE = "/services/flip/"
_STARTS_IN = 120.0
_PATIENCE = 300.0


def run(projects: int = PROJECTS, entries: int = ENTRIES, seconds: int = SECONDS) -> Iterator[Row]:
    """A row over all pages, one for each kind of page, and one for how busy the machine was."""
    few, many = (_measure(*size, seconds) for size in ((FEW, FEW * 100), (projects, entries)))
    peer, ours = (_p95([took for times in found.values() for took in times]) for found in (few, many))
    what = f"governance/p95 of {A_SECOND} page loads/s with {projects:,} projects and {entries:,} audit rows, SQLite"
    how = f"a table of tokens for JupyterHub (peer: {FEW} projects), load of the machine {os.getloadavg()[0]:.1f}"
    yield Row(f"{what}; {how}", ours, peer, "ms", ours / peer, f"< {BAR_MS} ms", ours < BAR_MS)
    for page, times in many.items():
        mine, other = _p95(times), _p95(few[page])
        yield Row(f"governance/p95 of {page}", mine, other, "ms", mine / other, "to compare", True)
    alone = statistics.median(times := many["the first page"])
    yield Row("governance/median of the first page", alone, None, "ms", None, f"{len(times)} loads", True)


def _pages() -> dict[str, str]:
    some = "projects/project-{some}"
    return {
        "the first page": "",
        "a searched list, page 2": "?find=lung&state=approved&page=2",
        "a project": some,
        "an application": f"{some}/application",
        "what changed": f"{some}/versions",
        "the airlock": "airlock",
    }


def _measure(projects: int, entries: int, seconds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory(prefix="flip-governance-") as folder:
        home = Path(folder) / "hub"
        fill(HubConfig(home=home), projects, entries)
        with _service(home) as port:
            return asyncio.run(_load(port, projects, seconds))


@contextlib.contextmanager
def _service(home: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    components = home.parent / "components"
    components.mkdir()
    command = [sys.executable, "-m", "benchmarks.governance_hub", str(home), str(port), str(components)]
    running = subprocess.Popen(command, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    try:
        _wait(f"http://127.0.0.1:{port}{_BASE}api/health", running)
        yield port
    finally:
        running.terminate()
        running.wait()


def _wait(address: str, running: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTS_IN
    while time.monotonic() < until and running.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(address, trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise RuntimeError("the service did not start")


async def _load(port: int, projects: int, seconds: int) -> dict[str, list[float]]:
    """Milliseconds from when a load was due until its page was there, for each kind of page."""
    pages, found = list(_pages().items()), defaultdict[str, list[float]](list)
    # each load on a connection that the service has not begun to close
    limits = httpx.Limits(max_connections=None, keepalive_expiry=1.0)
    address = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=address, trust_env=False, limits=limits, timeout=_PATIENCE) as web:

        async def load(number: int, due: float, keep: bool) -> None:
            name, path = pages[number % len(pages)]
            page = _BASE + path.format(some=number * 7919 % projects)
            cookie = {"cookie": f"flip-session=token-{number % REVIEWERS}"}
            answer = await web.get(page, headers=cookie)
            if answer.status_code != httpx.codes.OK:
                raise RuntimeError(f"{page}: {answer.status_code}")
            if keep:
                found[name].append(1000 * (time.perf_counter() - due))

        for number in range(3 * len(pages)):
            await load(number, 0, keep=False)
        begun, loads = time.perf_counter(), []
        for number in range(A_SECOND * seconds):
            due = begun + number / A_SECOND
            await asyncio.sleep(max(0, due - time.perf_counter()))
            loads.append(asyncio.create_task(load(number, due, keep=True)))
        await asyncio.gather(*loads)
    return found


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
