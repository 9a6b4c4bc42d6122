"""How long do reviewers wait for a page of a hub with 10,000 projects and a million audit rows?

Fifty page loads a second are begun on time, whether the ones before have come or not (an open loop), over what a
reviewer opens; a load's time runs from when it was due. The service is the real one in two processes on two cores,
which the load generator shares, over SQLite, or over the empty database that ``FLIP_BENCHMARK_DATABASE`` names. A
table of tokens stands in for JupyterHub's sign-in. The peer is the same load on a hub with twenty projects, before and
on the same machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from flip_hub.config import HubConfig

from benchmarks.governance_hub import JOB_EVERY, REVIEWERS, fill, requested
from benchmarks.governance_load import Connections
from benchmarks.rows import Row
from demo.processes import free_ports

PROJECTS = 10_000
ENTRIES = 1_000_000
FEW = 20
CORES = 2
A_SECOND = 50
SECONDS = 20
WARM_UP = 5
BAR_MS = 150
DATABASE = os.environ.get("FLIP_BENCHMARK_DATABASE", "")
_BASE = "/services/flip/"
_STARTS_IN = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Found:
    """What was measured.

    Attributes:
        times: milliseconds until a page was there, for each kind of page.
        late: milliseconds that loads were begun late, by the load generator.
        ours: seconds of processor time that the service took.
        load: the same of the load generator.
    """

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    late: list[float] = field(default_factory=list)
    ours: float = 0.0
    load: float = 0.0

    @property
    def loads(self) -> list[float]:
        """Every load."""
        return [took for times in self.times.values() for took in times]


def run(
    projects: int = PROJECTS, entries: int = ENTRIES, seconds: int = SECONDS, database: str = DATABASE
) -> Iterator[Row]:
    """A row over all pages, one for each kind of page, and what each load cost the processor."""
    cores = sorted(os.sched_getaffinity(0))
    # the service's processes and this one, which makes the load
    os.sched_setaffinity(0, cores[:CORES])
    try:
        few = _measure(FEW, FEW * 100, seconds)
        many = _measure(projects, entries, seconds, database)
    finally:
        os.sched_setaffinity(0, cores)
    yield from _rows(few, many, f"{projects:,} projects and {entries:,} audit rows", database)


def _rows(few: Found, many: Found, size: str, database: str) -> Iterator[Row]:
    peer, ours = _p95(few.loads), _p95(many.loads)
    where = f"{CORES} processes on {CORES} cores with the load generator, {'PostgreSQL' if database else 'SQLite'}"
    how = f"a table of tokens for JupyterHub (peer: {FEW} projects), load of the machine {os.getloadavg()[0]:.1f}"
    what = f"governance/p95 of {A_SECOND} page loads/s with {size}, {where}; {how}"
    yield Row(what, ours, peer, "ms", ours / peer, f"< {BAR_MS} ms", ours < BAR_MS)
    for page, times in many.times.items():
        mine, other = _p95(times), _p95(few.times[page])
        yield Row(f"governance/p95 of {page}", mine, other, "ms", mine / other, "to compare", True)
    alone = statistics.median(many.loads)
    yield Row("governance/median of all pages", alone, statistics.median(few.loads), "ms", None, "to compare", True)
    for what, mine, other in (
        ("processor time of a page load", many.ours / len(many.loads), few.ours / len(few.loads)),
        ("the same of the load generator", many.load / len(many.loads), few.load / len(few.loads)),
    ):
        yield Row(f"governance/{what}", 1000 * mine, 1000 * other, "ms", mine / other, "to compare", True)
    late = _p95(many.late)
    yield Row("governance/p95 of how late a load was begun", late, _p95(few.late), "ms", None, "counted", True)


def _pages() -> dict[str, str]:
    some = "projects/project-{some}"
    return {
        "the first page, with what waits": "",
        "a searched list, page 2": "?find=lung&state=approved&page=2",
        "a project": some,
        "an application": f"{some}/application",
        "what changed": f"{some}/versions",
        "a job": "jobs/job-{ran}",
        "the airlock": "airlock",
        "a review screen": "airlock/request-project-{asked}",
        "an audit search": "audit?actor=person-{some}&event=project.edited",
        "a project's audit log": f"{some}/audit",
        "the register": "register",
    }


def _measure(projects: int, entries: int, seconds: int, database: str = "") -> Found:
    with tempfile.TemporaryDirectory(prefix="flip-governance-") as folder:
        home = Path(folder) / "hub"
        fill(HubConfig(home=home, database_url=database), projects, entries)
        with _service(home, database) as (port, pid):
            return uvloop.run(_load(port, pid, projects, seconds))


@contextlib.contextmanager
def _service(home: Path, database: str) -> Iterator[tuple[int, int]]:
    port = free_ports(["service"])["service"]
    components = home.parent / "components"
    components.mkdir()
    command = [sys.executable, "-m", "benchmarks.governance_hub", str(home), str(port), str(components), str(CORES)]
    told = {"PYTHONWARNINGS": "ignore", "FLIP_HUB_DATABASE_URL": database}
    running = subprocess.Popen(command, env=os.environ | told)
    try:
        uvloop.run(_wait(port, running))
        yield port, running.pid
    finally:
        running.terminate()
        running.wait()


async def _wait(port: int, running: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTS_IN
    while time.monotonic() < until and running.poll() is None:
        with contextlib.suppress(OSError, EOFError):
            if await Connections(port).get(f"{_BASE}api/health", "") == 200:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError("the service did not start")


async def _load(port: int, pid: int, projects: int, seconds: int) -> Found:
    pages, found, web, asked = list(_pages().items()), Found(), Connections(port), requested(projects)

    async def load(number: int, due: float, keep: bool) -> None:
        name, path = pages[number % len(pages)]
        some = number * 7919 % projects
        ran, waits = some // JOB_EVERY * JOB_EVERY, asked[number % len(asked)]
        page = _BASE + path.format(some=some, ran=ran, asked=waits)
        if keep:
            found.late.append(1000 * (time.perf_counter() - due))
        status = await web.get(page, f"token-{number % REVIEWERS}")
        if status != 200:
            raise RuntimeError(f"{page}: {status}")
        if keep:
            found.times[name].append(1000 * (time.perf_counter() - due))

    async def run_for(length: int, keep: bool) -> None:
        begun, loads = time.perf_counter(), []
        for number in range(A_SECOND * length):
            due = begun + number / A_SECOND
            await asyncio.sleep(max(0, due - time.perf_counter()))
            loads.append(asyncio.create_task(load(number, due, keep)))
        await asyncio.gather(*loads)

    await run_for(WARM_UP, keep=False)
    before, mine = _processor_time(pid), time.process_time()
    await run_for(seconds, keep=True)
    found.ours, found.load = _processor_time(pid) - before, time.process_time() - mine
    return found


def _processor_time(pid: int) -> float:
    """Seconds that the service's processes have run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    stats = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (str(pid), *children)]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / _TICKS


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
