"""Putting the addresses into a Jupyter Server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join

from flip_lab.feed import Feed
from flip_lab.handlers import ROUTES
from flip_lab.hub import Hub
from flip_lab.lab import Lab


def load(server: Any) -> None:
    """Add the addresses, and give threads and sockets back when the server stops."""
    hub = Hub(server.log.info)
    lab = Lab(hub=hub, feed=Feed(hub), root=Path(server.contents_manager.root_dir))
    base = server.web_app.settings["base_url"]
    handlers = [(url_path_join(base, "flip", pattern), handler, {"lab": lab}) for pattern, handler in ROUTES]
    server.web_app.add_handlers(".*$", handlers)
    server.io_loop.add_callback(lambda: None)
    server.log.info("FLIP's panel is served under %sflip/", base)
