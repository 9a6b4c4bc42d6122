"""What Voila's page of a dashboard with controls is completed with: what it is, and what was drawn of it beforehand.

The template ``share/voila/templates/flip`` leaves a comment for each part.
"""

from __future__ import annotations

from html import escape

from flip_hub.dashboards.snapshot import Facts, footer, header
from flip_hub.dashboards.styles import FRAME_STYLES

_GAP = "<!--flip:"


def has_gaps(html: str) -> bool:
    """Whether a part of ours belongs into it."""
    return _GAP in html


def completed(html: str, facts: Facts, drawn: str = "") -> str:
    """A page of Voila's, or a piece of it, with the parts that are ours.

    Args:
        html: as Voila made it.
        facts: what the page says of itself.
        drawn: what is shown until the controls work (:func:`flip_hub.dashboards.snapshot.preview`).
    """
    parts = {
        "title": f"{escape(facts.title)} – {escape(facts.hub)}",
        "styles": f"<style>{FRAME_STYLES}</style>",
        "head": header(facts),
        "foot": footer(facts),
        "drawn": drawn,
    }
    for name, part in parts.items():
        html = html.replace(f"{_GAP}{name}-->", part, 1)
    return html
