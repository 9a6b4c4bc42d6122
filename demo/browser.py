"""A person at a browser: Debian's Chromium, driven by Playwright.

with Browser(hub_url, screenshots) as browser:
    page = browser.sign_in(Login("ada", password))
    browser.open_workspace(page, "ada", "breast-cytology")
    browser.picture(page, "workspace")
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from demo.notebook_runner import Login

CHROMIUM = Path("/usr/bin/chromium")
_SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_TALLEST = 8_000
"""Pixels of the tallest picture."""
_SLOW = 90_000
"""Milliseconds that a page may take on a busy computer."""


@dataclass
class Browser:
    """A browser in which several people can be signed in, each apart from the others. A context manager.

    Attributes:
        hub_url: the hub's address.
        screenshots: folder of pictures.
        problems: what pages reported as errors in their consoles, and requests that left the address they were at.
    """

    hub_url: str
    screenshots: Path
    problems: list[str] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)
    _chromium: Chromium | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            playwright = stack.enter_context(sync_playwright())
            self._chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=_SWITCHES)
            stack.callback(self._chromium.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def visitor(self, address: str = "") -> Page:
        """A page of somebody who is not signed in: at the hub, or at another ``address`` such as a Trust's console."""
        if self._chromium is None:
            raise RuntimeError("the browser is not open")
        context = self._chromium.new_context(base_url=address or self.hub_url, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(_SLOW)
        expect.set_options(timeout=_SLOW)
        self._watch(context, address or self.hub_url)
        return context.new_page()

    def sign_in(self, login: Login) -> Page:
        """A page of a person who has signed in, where the hub takes them then."""
        page = self.visitor()
        page.goto("/hub/login")
        page.get_by_label("Username").fill(login.name)
        page.get_by_label("Password").fill(login.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile(r"/services/flip/"))
        return page

    def open_workspace(self, page: Page, person: str, project: str) -> None:
        """Open a project's workspace and wait until JupyterLab is there."""
        page.goto(f"/hub/spawn/{person}/{project}")
        page.wait_for_url(re.compile(f"/user/{person}/{project}/lab"))
        expect(page.locator("#jp-main-dock-panel")).to_be_visible()
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)

    def open_notebook(self, page: Page, person: str, project: str, notebook: str) -> None:
        """Open a notebook of the workspace in JupyterLab, and close everything else there."""
        page.goto(f"/user/{person}/{project}/lab/tree/{notebook}?reset")
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)
        expect(page.locator(".jp-NotebookPanel:visible .jp-Cell").first).to_be_visible()

    def run_all_cells(self, page: Page) -> None:
        """Choose Run → Run All Cells, once the kernel is idle, and see that it begins."""
        panel = page.locator(".jp-NotebookPanel:visible")
        # the notebook's own sign also shows idle while it has no kernel yet
        expect(page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible()
        # menus speak of what has the focus
        panel.locator(".jp-Cell").first.click()
        page.get_by_role("menubar").get_by_text("Run", exact=True).click()
        item = page.locator("li[data-command='runmenu:run-all']")
        expect(item).not_to_have_class(re.compile("lm-mod-disabled"))
        item.click()
        expect(panel.locator(".jp-CodeCell .jp-InputPrompt").first).not_to_have_text("[ ]:")

    def wait_until_run(self, page: Page, milliseconds: int) -> None:
        """Wait until every cell has run, and save the notebook."""
        indicator = ".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status=idle]"
        expect(page.locator(indicator)).to_be_visible(timeout=milliseconds)
        with page.expect_response(lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url):
            page.keyboard.press("Control+s")

    def open_dashboard(self, page: Page, address: str) -> None:
        """Open a dashboard and wait until all of it is drawn."""
        page.goto(address)
        # with controls Voila shows it, without them it was drawn beforehand
        expect(page.locator("#rendered_cells, main > *").first).to_be_visible()
        page.wait_for_load_state("load")

    def picture(self, page: Page, name: str, *, whole: bool = False) -> Path:
        """Take a picture of the page: of what is seen, or of the ``whole`` of it."""
        self.screenshots.mkdir(parents=True, exist_ok=True)
        path = self.screenshots / f"{name}.png"
        usual = page.viewport_size
        if whole and usual:
            # some pages scroll inside themselves
            height = page.evaluate("Math.max(...[...document.querySelectorAll('*')].map(one => one.scrollHeight))")
            page.set_viewport_size({"width": usual["width"], "height": min(int(height), _TALLEST)})
        page.screenshot(path=path, full_page=whole)
        if usual:
            page.set_viewport_size(usual)
        return path

    def _watch(self, context: BrowserContext, address: str) -> None:
        context.on("weberror", lambda found: self.problems.append(f"{found.page and found.page.url}: {found.error}"))
        context.on(
            "request",
            lambda request: (
                self.problems.append(f"left {address}: {request.url}")
                if request.url.startswith("http") and not request.url.startswith(address)
                else None
            ),
        )
