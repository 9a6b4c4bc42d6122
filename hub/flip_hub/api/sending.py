"""Files as answers: saved under their name, or shown where nothing in them runs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Nothing runs in it, nothing is fetched by it, and it has no origin; an SVG's own styles may draw it."""
BYTES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
"""What the API's description says of a route that answers with a file."""


def attachment(content: bytes, path: str) -> Response:
    """A file to save, under the last part of its path."""
    name = quote(path.rpartition("/")[2])
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}", "content-security-policy": SANDBOX}
    return Response(content, media_type="application/octet-stream", headers=headers)


def image(content: bytes, media_type: str) -> Response:
    """An image to look at."""
    return Response(content, media_type=media_type, headers={"content-security-policy": SANDBOX})
