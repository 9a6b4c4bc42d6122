"""What is known of a version once it was drawn, and the small picture of it in the gallery."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

ABOUT = "about.json"
FORMS = {"svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg"}
_CARD = """<svg xmlns="http://www.w3.org/2000/svg" width="480" height="300" viewBox="0 0 480 300">
<rect width="480" height="300" fill="#e8edee"/><rect width="480" height="12" fill="#005eb8"/>
<text x="32" y="150" font-family="sans-serif" font-size="26" font-weight="600" fill="#212b32">{title}</text>
<text x="32" y="190" font-family="sans-serif" font-size="20" fill="#4c6272">{kind}</text></svg>"""


@dataclass(frozen=True)
class About:
    """What is known of a version once it was drawn.

    Attributes:
        state: what its page says of its release, in words: a draft is drawn anew when it is released.
        live: it has controls, so that each viewer needs a kernel.
        whole: every part of it could be computed.
        thumbnail: file beside the page.
    """

    state: str
    live: bool
    whole: bool
    thumbnail: str


def about(folder: Path) -> About | None:
    """What is known of a version; None while it was not drawn."""
    try:
        return About(**json.loads((folder / ABOUT).read_text("utf-8")))
    except FileNotFoundError:
        return None


def thumbnail(address: str, title: str, kind: str) -> tuple[str, bytes]:
    """Name and bytes of a thumbnail: the first picture, or a card with the title."""
    if not address:
        words = title if len(title) <= 26 else f"{title[:25]}…"
        return "thumbnail.svg", _CARD.format(title=escape(words), kind=escape("" if kind == "other" else kind)).encode()
    ending = {"svg+xml": "svg", "jpeg": "jpg"}.get(form := address.partition("/")[2].partition(";")[0], form)
    return f"thumbnail.{ending}", base64.b64decode(address.partition(",")[2])
