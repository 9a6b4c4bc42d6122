"""The design system's files, without what they would fetch from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

OWN = Path(__file__).parent / "static"
STYLES = "nhsuk-frontend.min.css"
HTMX = "htmx.min.js"
_FONT = re.compile(r"@font-face\s*\{[^}]*\}")


def static_routes(components: Path) -> list[BaseRoute]:
    """Everything below ``static/``.

    Args:
        components: folder of nhsuk-frontend's built files, inside the npm packages.
    """
    htmx = components.parents[2] / "htmx.org" / "dist" / HTMX

    def styles(_request: Request) -> Response:
        # the design system's font is licensed to the NHS alone, and comes from a host outside the hub
        text = _FONT.sub("", (components / STYLES).read_text(encoding="utf-8"))
        return Response(text, media_type="text/css")

    def typing(_request: Request) -> Response:
        return FileResponse(htmx, media_type="text/javascript")

    nhsuk = Mount("/nhsuk", routes=[Route(f"/{STYLES}", styles), Mount("/", StaticFiles(directory=components))])
    return [nhsuk, Route(f"/{HTMX}", typing), Mount("/", StaticFiles(directory=OWN))]
