"""How long a viewer waits for a dashboard: Chromium's first contentful paint, through the real proxy, signed in.

The peer is stock Voila with kernels preheated, without proxy and sign-in, over the same notebooks in the same browser.
Each view is a tab of its own; the browser, the hub and its kernels share the computer's cores.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from playwright.async_api import BrowserContext, async_playwright

from benchmarks.dashboards_hub import CONTROLS, PLAIN, make_home, notebook
from benchmarks.rows import Row
from benchmarks.workspaces_hub import LOGIN, PROJECT
from demo.browser import CHROMIUM
from demo.hub_only import HubOnly
from demo.processes import Keeper, Program, free_ports, wait_until

ONE_MS, FIVE_MS = 300.0, 1000.0
AT_ONCE = 5
LOOKS = 12
"""Half seconds that the number of kernels stays: one that was started a moment ago is not warm yet."""
WARM_SECONDS = 120
ONES, FIVES = 5, 3
"""How often one views alone, and five at once: every view with controls costs a kernel, which is warmed anew."""
_WORDS = {PLAIN: "without controls", CONTROLS: "with controls"}


def run() -> Iterator[Row]:
    """A row for one view and one for five at once, of each kind of dashboard."""
    with tempfile.TemporaryDirectory(prefix="flip-dashboards-") as folder:
        config = make_home(Path(folder) / "home", AT_ONCE)
        with HubOnly(config.home, dashboards=True) as hub:
            ours = asyncio.run(_hub(hub))
        for name in (PLAIN, CONTROLS):
            with _voila(Path(folder), name) as (url, kernels):
                peer = asyncio.run(_stock(url, kernels))
            yield from _rows(_WORDS[name], ours[name], peer)


def _rows(words: str, ours: tuple[float, float], peer: tuple[float, float]) -> Iterator[Row]:
    bars = (("one, warm", ONE_MS), (f"{AT_ONCE} at once, the slowest", FIVE_MS))
    for (what, bar), mine, theirs in zip(bars, ours, peer, strict=True):
        told = f"dashboards/first paint {words}, {what}"
        yield Row(told, mine, theirs, "ms (lower is better)", mine / theirs, f"< {bar:g} ms", mine < bar)


async def _hub(hub: HubOnly) -> dict[str, tuple[float, float]]:
    """Milliseconds of one view (median) and of the slowest of five at once (median), of each dashboard."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = await chromium.new_context(base_url=hub.url)
        page = await context.new_page()
        await page.goto("/hub/login")
        await page.get_by_label("Username").fill(LOGIN.name)
        await page.get_by_label("Password").fill(LOGIN.password)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/services/flip/**")
        found = {}
        for name in (PLAIN, CONTROLS):
            address = f"/services/dashboards/voila/render/{PROJECT}/{name}/notebook.ipynb"
            ready = _enough(lambda: _kernels(hub.keeper), AT_ONCE, AT_ONCE)
            found[name] = await _views(context, address, ready, live=name == CONTROLS)
        await chromium.close()
    return found


async def _stock(url: str, kernels: Callable[[], int]) -> tuple[float, float]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = await chromium.new_context()
        found = await _views(context, url, _enough(kernels, AT_ONCE, sys.maxsize), live=False)
        await chromium.close()
    return found


async def _views(
    context: BrowserContext, address: str, ready: Callable[[], bool], *, live: bool
) -> tuple[float, float]:
    ones, fives = [], []
    for _ in range(ONES + 1):
        await asyncio.to_thread(wait_until, ready, WARM_SECONDS, "kernels are warm", every=0.5)
        ones.append(await _paint(context, address, live=live))
    for _ in range(FIVES):
        await asyncio.to_thread(wait_until, ready, WARM_SECONDS, "kernels are warm", every=0.5)
        fives.append(max(await asyncio.gather(*(_paint(context, address, live=live) for _ in range(AT_ONCE)))))
    # the first view fills the browser's cache, and what was not drawn yet is drawn for it
    return statistics.median(ones[1:]), statistics.median(fives)


async def _paint(context: BrowserContext, address: str, *, live: bool) -> float:
    """Milliseconds from the click to the first contentful paint, as Chromium itself tells it: no script need run."""
    page = await context.new_page()
    try:
        chromium = await context.new_cdp_session(page)
        painted: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        connected = asyncio.Event()
        begun = time.perf_counter()

        def told(event: dict[str, Any]) -> None:
            if event["name"] == "firstContentfulPaint" and not painted.done():
                painted.set_result(1000 * (time.perf_counter() - begun))

        await chromium.send("Page.enable")
        await chromium.send("Page.setLifecycleEventsEnabled", {"enabled": True})
        chromium.on("Page.lifecycleEvent", told)
        begun = time.perf_counter()
        page.on("websocket", lambda _: connected.set())
        answer = await page.goto(address, wait_until="commit")
        if answer is None or not answer.ok:
            raise RuntimeError(f"{address} answers {answer and answer.status}")
        waited = await asyncio.wait_for(painted, 60)
        if live:
            await asyncio.wait_for(connected.wait(), 60)
        return waited
    finally:
        # a viewer leaves once the page has its kernel, and tells it so
        await page.goto("about:blank")
        await page.close()


def _enough(count: Callable[[], int], fewest: int, most: int) -> Callable[[], bool]:
    """Whether so many kernels run, so long that each has run its notebook, too, and those of who left have ended.

    Stock Voila lets those run on.
    """
    seen: list[int] = []

    def is_so() -> bool:
        seen.append(count())
        return fewest <= seen[-1] <= most and seen[-LOOKS:] == [seen[-1]] * LOOKS

    return is_so


def _kernels(keeper: Keeper) -> int:
    """How many kernels run, their sandboxes' own processes not counted."""
    count = 0
    for one in keeper.processes():
        with suppress(psutil.Error):
            count += one.name() != "bwrap" and "ipykernel_launcher" in one.cmdline()
    return count


@contextmanager
def _voila(folder: Path, name: str) -> Iterator[tuple[str, Callable[[], int]]]:
    """Stock Voila, with as many kernels preheated; its address, and how many kernels it has."""
    port = free_ports(["voila"])["voila"]
    place = folder / f"stock-{name}"
    place.mkdir()
    (place / "dashboard.ipynb").write_text(notebook(name), encoding="utf-8")
    command = (
        *(sys.executable, "-m", "voila", "dashboard.ipynb", "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"),
        *("--preheat_kernel=True", f"--pool_size={AT_ONCE}"),
    )
    url = f"http://127.0.0.1:{port}/"
    keeper = Keeper(Program(f"voila-{name}", command, {}, place), place)
    try:
        wait_until(lambda: _answers(url), 60, "stock Voila does not answer", last_words=keeper.last_words)
        yield url, lambda: _kernels(keeper)
    finally:
        keeper.ask_to_stop()
        keeper.wait(40)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}voila/static/favicon.ico", trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False
