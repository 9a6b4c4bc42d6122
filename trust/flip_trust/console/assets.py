"""The design system's styles, without what they would fetch from elsewhere. The console has no script at all."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from flip_trust.errors import SetupError

OWN = Path(__file__).parent / "static"
STYLES = "nhsuk-frontend.min.css"
_INSTALLED = Path(__file__).parent / "nhsuk"
_REPOSITORY = Path(__file__).parents[3] / "hub" / "node_modules" / "nhsuk-frontend" / "dist" / "nhsuk"
_FETCHED = re.compile(r"@font-face\s*\{[^}]*\}|/\*# sourceMappingURL=.*?\*/")


def folder() -> Path:
    """Where the styles are: inside the installed package, or where npm puts them in the repository.

    Raises:
        SetupError: they are in neither.
    """
    for place in (_INSTALLED, _REPOSITORY):
        if (place / STYLES).is_file():
            return place
    raise SetupError("The console's styles are not installed.", "In the repository: make install.")


def static_routes(components: Path) -> list[BaseRoute]:
    """Everything below ``static/``.

    Args:
        components: folder of nhsuk-frontend's built files.
    """
    # the design system's font is licensed to the NHS alone, and comes from a host outside
    styles = _FETCHED.sub("", (components / STYLES).read_text(encoding="utf-8"))

    def serve_styles(_request: Request) -> Response:
        return Response(styles, media_type="text/css")

    return [Route(f"/nhsuk/{STYLES}", serve_styles), Mount("/", StaticFiles(directory=OWN))]
