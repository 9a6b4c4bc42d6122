"""A hub's service on a loopback port, and people at Debian's Chromium, each signed in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from axe_playwright_python.sync_playwright import Axe
from flip_hub.api import create_app
from playwright.sync_api import Browser, Page, sync_playwright

from demo.browser import CHROMIUM

COMPONENTS = Path(__file__).parents[3] / "hub" / "node_modules" / "nhsuk-frontend" / "dist" / "nhsuk"
PICTURES = Path(__file__).parents[3] / "build" / "screenshots"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@contextmanager
def served(hub: Any) -> Iterator[str]:
    """The service's address, until the block ends."""
    app = create_app(hub.office.config, hub.authenticator, components=COMPONENTS)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def page_of(
    browser: Browser, hub: Any, address: str, who: str, *, scripts: bool = True, width: int = 1280, session: str = ""
) -> Page:
    context = browser.new_context(
        base_url=address, java_script_enabled=scripts, viewport={"width": width, "height": 900}
    )
    token = hub.authenticator.sign_in(who, session=session)
    cookie = {"name": "flip-session", "value": token, "url": address + "/services/flip/"}
    context.add_cookies([cookie])  # type: ignore[list-item]
    return context.new_page()


def violations(page: Page) -> list[dict[str, Any]]:
    """What of WCAG 2.2 AA axe-core finds broken on a page."""
    found: list[dict[str, Any]] = Axe().run(page, options={"runOnly": WCAG}).response["violations"]
    return found
