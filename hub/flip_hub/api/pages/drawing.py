"""Drawing a page: Jinja templates over nhsuk-frontend's components."""

from __future__ import annotations

import os
import unicodedata
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from fastapi import Request
from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from flip_hub.api.pages import components
from flip_hub.api.sessions import csrf_token, desk_of

TEMPLATES = Path(__file__).parents[1] / "templates"
COLOURS = {
    "overdue": "red",
    "reviewed": "grey",
    "open": "red",
    "waiting": "blue",
    "verified": "green",
    "draft": "grey",
    "submitted": "blue",
    "in_review": "blue",
    "changes_requested": "orange",
    "approved": "green",
    "rejected": "red",
    "suspended": "orange",
    "expired": "grey",
    "closed": "grey",
    "validated": "blue",
    "signed_off": "blue",
    "executing": "blue",
    "completed": "green",
    "cancelled": "grey",
    "failed": "red",
    "opted_in": "green",
    "paused": "orange",
    "left": "grey",
    "none": "grey",
    "approve": "green",
    "request_changes": "orange",
    "reject": "red",
    "recused": "grey",
    "requested": "blue",
    "checked": "blue",
    "blocked": "red",
    "released": "green",
    "shown": "green",
    "withheld": "orange",
    "withdrawn": "grey",
    "revoked": "red",
    "admitted": "green",
    "refused": "red",
    "pass": "green",
    "flag": "orange",
    "block": "red",
    "note": "grey",
    "withhold": "orange",
}


def draw(request: Request, template: str, *, status: int = 200, **content: object) -> Response:
    """A page.

    Args:
        request: whose page it is; signed in or not.
        template: file under ``templates``.
        status: HTTP status.
        content: what the template shows.
    """
    desk = desk_of(request)
    html = (
        _environment()
        .get_template(template)
        .render(
            base=desk.prefix,
            hub=os.environ.get("JUPYTERHUB_BASE_URL", "/"),
            title=desk.office.config.title,
            subject=getattr(request.state, "subject", None),
            emergencies=getattr(request.state, "emergencies", ()),
            standing=getattr(request.state, "standing", None),
            idle_minutes=round(desk.office.config.session_idle_minutes),
            csrf=csrf_token(desk, request),
            **content,
        )
    )
    return HTMLResponse(html, status_code=status)


def moment(value: datetime | None) -> str:
    """A moment as people read it, in UTC."""
    return value.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC") if value else ""


def day(value: datetime | None) -> str:
    """A day as people read it."""
    return value.astimezone(UTC).strftime("%-d %B %Y") if value else ""


def month(value: str | None) -> str:
    """A month (2026-11) as people read it."""
    return datetime.strptime(value, "%Y-%m").strftime("%B %Y") if value else ""  # noqa: DTZ007


def words(value: object) -> str:
    """A state's name as people read it."""
    text = str(value).replace("_", " ")
    return text[:1].upper() + text[1:]


def harmless(value: object) -> Markup:
    """Words that came from outside: set apart, with nothing in them that hides or turns round what is beside them."""
    shown = "".join(_visible(character) for character in str(value))
    return Markup("<bdi>{}</bdi>").format(escape(shown))


def _visible(character: str) -> str:
    if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} and character not in "\n\t":
        return f"[U+{ord(character):04X}]"
    return character


def colour(value: object) -> str:
    """A state's colour; the text says the same."""
    return COLOURS.get(str(value), "grey")


@cache
def _environment() -> Environment:
    environment = Environment(
        undefined=ChainableUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # the files do not change while the hub runs: they are not looked at for each page, and all stay compiled
        auto_reload=False,
        cache_size=-1,
    )
    components.install(environment, FileSystemLoader(TEMPLATES))
    environment.filters.update(moment=moment, day=day, month=month, words=words, colour=colour, harmless=harmless)
    return environment
