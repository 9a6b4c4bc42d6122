"""Pages that are ready before somebody asks: drawn once where everybody sees the same, warm kernels where not.

A page without controls is drawn once, and read from then on. One with controls needs a kernel for each viewer: a few
wait for the next ones, run beforehand for nobody. A notebook that reads who looks at it is run for each viewer, when
they come.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from jupyter_core.utils import ensure_async
from voila.notebook_renderer import NotebookRenderer
from voila.utils import get_page_config

from flip_hub.dashboards.drawing import PREVIEW, draw
from flip_hub.dashboards.kernels import DashboardKernels, Showing, started_for
from flip_hub.dashboards.layout import NOTEBOOK, lay_out, path_of, place
from flip_hub.dashboards.live import completed, has_gaps
from flip_hub.dashboards.pause import Pause
from flip_hub.dashboards.snapshot import Facts
from flip_hub.dashboards.streaming import STALLED_SECONDS, with_signs_of_life
from flip_hub.dashboards.thumbnails import About, about
from flip_hub.dashboards.words import state_of
from flip_hub.database import DashboardVersion, now
from flip_hub.governance.office import Office

if TYPE_CHECKING:
    from flip_hub.dashboards.app import DashboardsApp


@dataclass(frozen=True)
class Ready:
    """A page that waits for a viewer, with its kernel."""

    kernel_id: str
    html: str


@dataclass(frozen=True)
class Making:
    """A page that is made as its pieces are asked for."""

    kernel_id: str
    pieces: AsyncGenerator[str]


class Pages:
    """What is ready.

    Args:
        app: the service.
        office: governance.
        each: how many warm kernels a dashboard with controls may have.
    """

    def __init__(self, app: DashboardsApp, office: Office, each: int) -> None:
        self._app, self._office, self._each = app, office, each
        self._ready: defaultdict[Showing, list[Ready]] = defaultdict(list)
        self._drawing: dict[Showing, asyncio.Task[About]] = {}
        self._opened: dict[Showing, float] = {}
        self._pause = Pause()

    @property
    def kernels(self) -> DashboardKernels:
        """The service's kernels."""
        kernels: DashboardKernels = self._app.kernel_manager
        return kernels

    def folder(self, showing: Showing) -> Path:
        """Where a version is kept."""
        return place(self._office.config, showing.project, showing.name, showing.version)

    async def content(self, row: DashboardVersion) -> Path:
        """The folder that a version's kernels read."""
        return await asyncio.to_thread(self._laid_out, row)

    async def known(self, row: DashboardVersion) -> About:
        """What is known of a version, which is drawn where it was not yet: once, however many ask."""
        showing = key(row)
        found = self.drawn(row)
        if found is not None:
            return found
        task = self._drawing.get(showing)
        if task is None:
            task = asyncio.create_task(self._draw(row, showing))
            self._drawing[showing] = task
            task.add_done_callback(lambda _: self._drawing.pop(showing, None))
        return await asyncio.shield(task)

    def take(self, row: DashboardVersion, person: str) -> Ready | None:
        """A page that waits for its viewer, which is this person from now on."""
        showing = key(row)
        self._opened[showing] = monotonic()
        while waiting := self._ready[showing]:
            ready = waiting.pop(0)
            if ready.kernel_id in self.kernels:
                self.kernels.hand_over(ready.kernel_id, person)
                self._pause.begin()
                return ready
        return None

    def completed(self, row: DashboardVersion, html: str) -> str:
        """Voila's page of a version, or a piece of it, with what it says of itself and what was drawn beforehand."""
        if not has_gaps(html):
            return html
        preview = self.folder(key(row)) / PREVIEW
        drawn = preview.read_text("utf-8") if not row.personal and preview.is_file() else ""
        return completed(html, self._facts(row), drawn)

    def warm(self, showing: Showing) -> int:
        """How many wait for viewers of a version."""
        self._ready[showing] = [one for one in self._ready[showing] if one.kernel_id in self.kernels]
        return len(self._ready[showing])

    async def prepare(self, rows: list[DashboardVersion]) -> None:
        """Draw what is shown and was not drawn, and warm what was opened last: one thing at a time."""
        for row in rows:
            if not row.personal and self.drawn(row) is None:
                await self.known(row)
                return
        if self._pause.holds:
            return
        live = [row for row in rows if not row.personal and (drawn := self.drawn(row)) and drawn.live]
        for row in sorted(live, key=lambda row: -self._opened.get(key(row), 0.0)):
            all_warm = sum(map(self.warm, list(self._ready)))
            if all_warm >= self.kernels.most // 2 or self.kernels.free <= 2:
                return
            if self.warm(key(row)) < self._each:
                self._ready[key(row)].append(await self._rendered(row))
                return

    def drawn(self, row: DashboardVersion) -> About | None:
        """What is known of a version; None while it was not drawn as it stands now."""
        found = about(self.folder(key(row)))
        return found if found is not None and found.state == state_of(row) else None

    async def _draw(self, row: DashboardVersion, showing: Showing) -> About:
        content = await self.content(row)
        return await draw(self.kernels, showing, self.folder(showing), content, self._facts(row), row.kind)

    async def _rendered(self, row: DashboardVersion) -> Ready:
        """A version's page, run for nobody."""
        making = await self.begin(row, key(row), {})
        try:
            async with aclosing(with_signs_of_life(making.pieces, every=STALLED_SECONDS)) as pieces:
                html = "".join([piece async for piece in pieces])
        except BaseException:
            await self.end(making.kernel_id)
            raise
        return Ready(making.kernel_id, html)

    async def begin(self, row: DashboardVersion, showing: Showing, environment: dict[str, str]) -> Making:
        """Start a kernel for a version's page, which is made as its pieces are asked for.

        Raises:
            HTTPError: 503 where as many run as may.
        """
        await self.content(row)
        renderer = self._renderer(row)
        await renderer.initialize()
        name, path = renderer.notebook.metadata.kernelspec.name, path_of(row.project_id, row.name, row.version)
        with started_for(showing):
            kernel_id = await self.kernels.start_kernel(kernel_name=name, path=path, env=environment)
        return Making(
            kernel_id, _html(renderer.generate_content_generator(kernel_id, self.kernels.get_kernel(kernel_id)))
        )

    def _renderer(self, row: DashboardVersion) -> NotebookRenderer:
        app, path = self._app, path_of(row.project_id, row.name, row.version)
        settings = app.app.settings
        configuration = app.voila_configuration
        config = get_page_config(
            base_url=app.base_url, settings=settings, log=app.log, voila_configuration=configuration
        )
        return NotebookRenderer(
            voila_configuration=configuration,
            traitlet_config=app.config,
            notebook_path=f"{path}/{NOTEBOOK}",
            template_paths=app.template_paths,
            config_manager=app.config_manager,
            contents_manager=app.contents_manager,
            base_url=app.base_url,
            kernel_spec_manager=app.kernel_spec_manager,
            page_config=config,
            mathjax_config=settings.get("mathjax_config"),
            mathjax_url=settings.get("mathjax_url"),
        )

    async def end(self, kernel_id: str) -> None:
        """End a kernel, whatever it does."""
        if kernel_id in self.kernels:
            await ensure_async(self.kernels.shutdown_kernel(kernel_id, now=True))  # type: ignore[no-untyped-call]

    def _laid_out(self, row: DashboardVersion) -> Path:
        with self._office.database.read() as session:
            return lay_out(self._office, session, row)

    def _facts(self, row: DashboardVersion) -> Facts:
        where = f"{row.project_id}, {row.name}, version {row.version}"
        return Facts(self._office.config.title, row.title or row.name, where, state_of(row), f"{now():%d %B %Y}")


async def _html(pieces: AsyncGenerator[tuple[str, object]]) -> AsyncGenerator[str]:
    async with aclosing(pieces):
        async for html, _ in pieces:
            yield html


def key(row: DashboardVersion) -> Showing:
    """A version, for nobody in particular."""
    return Showing(row.project_id, row.name, row.version)


def of_viewer(row: DashboardVersion, person: str) -> Showing:
    """A version, for somebody."""
    return replace(key(row), viewer=person)
