"""Two hundred people at a hub with 2,000 projects: they sign in, open pages and poll jobs; twenty have live kernels.

JupyterHub, its proxy, the governance service and the workspaces are the real ones, on two cores together with the one
process that plays the people. They arrive evenly, then go on: a page every 5 to 15 s, a poll every 10 s, a cell every
3 to 7 s.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import uvloop

from benchmarks.people_home import PROJECTS, make
from benchmarks.people_visitor import Person, Seen
from benchmarks.rows import Row
from demo.hub_only import HubOnly

PEOPLE = 200
WORKSPACES = 20
ARRIVING = 100
"""Seconds over which they arrive."""
SECONDS = 60
"""Seconds that they all go on then."""
CORES = 2
BAR_MS = 1000
_WAITED = ("signing in", "a page", "a poll", "a cell")


@dataclass
class Found:
    """What was measured.

    Attributes:
        seen: by the people.
        steady: the same, after all had arrived.
        load: share of one core that playing the people took.
        memory: bytes (proportional set size) of the hub's programs, and of all workspaces.
        taken: seconds of processor time that each program took.
    """

    seen: Seen = field(default_factory=Seen)
    steady: dict[str, list[float]] = field(default_factory=dict)
    load: float = 0.0
    memory: tuple[int, int] = (0, 0)
    taken: dict[str, float] = field(default_factory=dict)


def run(
    people: int = PEOPLE, workspaces: int = WORKSPACES, arriving: float = ARRIVING, seconds: float = SECONDS
) -> Iterator[Row]:
    """A row for errors, one for all that people waited for, one for each kind, and what it took."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:CORES])
    try:
        with tempfile.TemporaryDirectory(prefix="flip-people-") as folder:
            config, chosen = make(Path(folder) / "hub", people, workspaces)
            with HubOnly(config.home) as hub:
                found = uvloop.run(_play(hub, people, chosen, arriving, seconds))
    finally:
        os.sched_setaffinity(0, cores)
    yield from _rows(found, people, workspaces)


def _rows(found: Found, people: int, workspaces: int) -> Iterator[Row]:
    where = (
        f"{CORES} cores with the load generator, {PROJECTS:,} projects, load of the machine {os.getloadavg()[0]:.1f}"
    )
    errors = len(found.seen.errors)
    told = f" ({'; '.join(found.seen.errors[:3])})" if errors else ""
    what = f"people/errors of {people} people, {workspaces} with kernels{told}"
    yield Row(what, errors, None, "errors", None, "none", not errors)
    waited = [took for kind in _WAITED for took in found.seen.times[kind]]
    p95 = _p95(waited)
    yield Row(f"people/p95 of {len(waited):,} waits, {where}", p95, None, "ms", None, f"< {BAR_MS} ms", p95 < BAR_MS)
    for kind in _WAITED:
        times, steady = found.seen.times[kind], found.steady.get(kind, [])
        yield Row(f"people/p95 of {kind} ({len(times):,})", _p95(times), None, "ms", None, "to compare", True)
        if steady:
            yield Row(f"people/p95 of {kind} when all were there", _p95(steady), None, "ms", None, "to compare", True)
    for kind in set(found.seen.times) - set(_WAITED):
        times = found.seen.times[kind]
        yield Row(f"people/median of {kind} ({len(times)})", statistics.median(times), None, "ms", None, "told", True)
        yield Row(f"people/longest of {kind}", max(times), None, "ms", None, "told", True)
    hub, spaces = (size / 2**20 for size in found.memory)
    yield Row("people/memory of JupyterHub, proxy and services", hub, None, "MiB", None, "told", True)
    yield Row(f"people/memory of {workspaces} workspaces", spaces, None, "MiB", None, "told", True)
    for program, took in found.taken.items():
        yield Row(f"people/processor time of {program}", took, None, "s", None, "told", True)
    yield Row("people/share of a core that the load generator took", found.load, None, "cores", None, "told", True)


async def _play(hub: HubOnly, people: int, chosen: list[int], arriving: float, seconds: float) -> Found:
    found, chance = Found(), random.Random(6)  # noqa: S311 - the same people each time
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=people)
    begun, mine = time.monotonic(), time.process_time()
    async with httpx.AsyncHTTPTransport(limits=limits, verify=False) as transport:
        tasks = []
        for number in range(people):
            await asyncio.sleep(max(0, begun + number * arriving / people - time.monotonic()))
            person = Person(hub.url, number, transport, found.seen)
            tasks.append(asyncio.create_task(_live(person, number in chosen, chance)))
        await asyncio.sleep(max(0, begun + arriving - time.monotonic()))
        before = {kind: len(times) for kind, times in found.seen.times.items()}
        await asyncio.sleep(seconds)
        found.steady = {kind: times[before.get(kind, 0) :] for kind, times in found.seen.times.items()}
        found.load = (time.process_time() - mine) / (time.monotonic() - begun)
        found.memory, found.taken = _memory(hub), _taken(hub)
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                found.seen.errors.append(f"{type(ended).__name__} {ended}")
    return found


async def _live(person: Person, works: bool, chance: random.Random) -> None:
    await person.sign_in()
    async with asyncio.TaskGroup() as group:
        group.create_task(_pages(person, chance))
        group.create_task(_polls(person, chance))
        if works:
            group.create_task(_works(person, chance))


async def _pages(person: Person, chance: random.Random) -> None:
    turn = 0
    while True:
        await asyncio.sleep(chance.uniform(5, 15))
        await person.open_page(turn)
        turn += 1


async def _polls(person: Person, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0, 10))
    while True:
        await person.poll()
        await asyncio.sleep(10)


async def _works(person: Person, chance: random.Random) -> None:
    channels = await person.open_workspace()
    await person.work(channels, lambda: chance.uniform(3, 7))


def _memory(hub: HubOnly) -> tuple[int, int]:
    """What the programs take, each shared page divided among those who share it."""
    programs = hub.keeper.processes()
    workspaces = hub.pids("singleuser")
    inside = {below.pid for pid in workspaces for below in psutil.Process(pid).children(recursive=True)} | workspaces
    ours = [(one.memory_full_info().pss, one.pid in inside) for one in programs if one.is_running()]
    return sum(size for size, space in ours if not space), sum(size for size, space in ours if space)


def _taken(hub: HubOnly) -> dict[str, float]:
    """Of the programs that answer everybody; a workspace's is its own."""
    words = {
        "JupyterHub": "jupyterhub_config.py",
        "the proxy": "configurable-http-proxy",
        "the service": "flip-hub serve",
    }
    times = {name: [psutil.Process(pid).cpu_times() for pid in hub.pids(word)] for name, word in words.items()}
    return {name: sum(one.user + one.system for one in found) for name, found in times.items()}


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else sum(times)
