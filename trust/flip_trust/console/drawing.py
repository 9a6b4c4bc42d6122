"""Drawing a page: Jinja templates over nhsuk-frontend's components, and how numbers, times and the hub's words look."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from fastapi import Request
from flip_sdk.contract.tasks import REFUSAL_WORDS, RefusalCode
from jinja2 import ChainableUndefined, ChoiceLoader, Environment, FileSystemLoader, PackageLoader
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from flip_trust.console.desk import desk_of
from flip_trust.console.sessions import Session
from flip_trust.console.words import KINDS, STATES, Words

TEMPLATES = Path(__file__).parent / "templates"
_SPACES = "\n\t"


def draw(request: Request, template: str, *, status: int = 200, **content: object) -> Response:
    """A page.

    Args:
        request: whose page it is; signed in or not.
        template: file under ``templates``.
        status: HTTP status.
        content: what the template shows.
    """
    desk = desk_of(request)
    session: Session | None = getattr(request.state, "session", None)
    person = session.person if session else None

    def may(action: str) -> bool:
        return person is not None and desk.may(person, action)

    html = (
        _environment()
        .get_template(template)
        .render(
            title=desk.config.title,
            trust=desk.config.name,
            person=person,
            form_token=session.form_token if session else "",
            here=request.url.path,
            may=may,
            **content,
        )
    )
    return HTMLResponse(html, status_code=status)


def moment(value: datetime | str | None) -> str:
    """A moment as people read it, in UTC."""
    at = _time(value)
    return at.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC") if at else ""


def day(value: datetime | str | None) -> str:
    """A day as people read it."""
    at = _time(value)
    return at.astimezone(UTC).strftime("%-d %B %Y") if at else ""


def told(value: object) -> Markup:
    """Words that came from outside: set apart, with nothing in them that hides or turns round what is beside them."""
    shown = "".join(_visible(character) for character in str(value))
    return Markup("<bdi>{}</bdi>").format(escape(shown))


def number(value: float | None) -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,.0f}" if value is not None else "–"


def short(value: float | None) -> str:
    """A privacy figure: three digits are enough to decide by."""
    return f"{value:.3g}" if value is not None else "–"


def plain(value: float | None) -> str:
    """A small number in digits: not everybody reads 1e-05."""
    return f"{value:.12f}".rstrip("0").rstrip(".") if value is not None else "–"


def opening(value: object) -> str:
    """Words with a capital at their beginning, and as they are otherwise."""
    text = str(value)
    return text[:1].upper() + text[1:]


def size(value: float) -> str:
    """Bytes, as people say them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def state(value: object) -> Words:
    """A state in words, and its colour."""
    return STATES.get(str(value), Words(str(value).replace("_", " ").capitalize(), "grey"))


def refusal(value: object) -> str:
    """A refusal's code in words."""
    try:
        return REFUSAL_WORDS[RefusalCode(str(value))]
    except ValueError:
        return str(value)


def kind(value: object) -> Words:
    """A kind of job in words."""
    return KINDS.get(str(value), Words(str(value).capitalize()))


def _visible(character: str) -> str:
    if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} and character not in _SPACES:
        return f"[U+{ord(character):04X}]"
    return character


def _time(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        return datetime.fromisoformat(value) if value else None
    return value or None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(TEMPLATES), PackageLoader("nhsuk_frontend_jinja")]),
        undefined=ChainableUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (moment, day, told, number, short, plain, opening, size, state, refusal, kind)
    environment.filters.update({one.__name__: one for one in filters})
    return environment
