"""The design system's files, without what they would fetch from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

OWN = Path(__file__).parent / "static"
STYLES = "nhsuk-frontend.min.css"
_FONT = re.compile(r"@font-face\s*\{[^}]*\}")


def static_routes(components: Path) -> list[Mount]:
    """Everything below ``static/``.

    Args:
        components: folder of nhsuk-frontend's built files.
    """

    def styles(_request: Request) -> Response:
        # the design system's font is licensed to the NHS alone, and comes from a host outside the hub
        text = _FONT.sub("", (components / STYLES).read_text(encoding="utf-8"))
        return Response(text, media_type="text/css")

    nhsuk = Mount("/nhsuk", routes=[Route(f"/{STYLES}", styles), Mount("/", StaticFiles(directory=components))])
    return [nhsuk, Mount("/", StaticFiles(directory=OWN))]
