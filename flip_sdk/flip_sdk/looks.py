"""How everything of this package looks in a notebook and a terminal: tables, cards, states, bars.

Plain HTML with inline styles, so that it is the same in JupyterLab, in a saved page and in print. Colours are those of
the page around it (light or dark) or see-through; none of them says anything that words do not say. Whatever is given
as text is escaped here; what is called ``html`` was made here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from html import escape
from typing import Literal
from unicodedata import combining, east_asian_width

Tone = Literal["good", "bad", "waiting", "plain"]
WIDTH = 140
"""Characters of a line of text at most."""
_LINE = "rgba(128,128,128,.35)"
_TABLE = "border-collapse:collapse;margin:.4em 0"
_HEAD = "text-align:{side};padding:.25em .8em;border-bottom:2px solid currentColor"
_CELL = "text-align:{side};padding:.25em .8em;border-bottom:1px solid " + _LINE
_FILL = "linear-gradient(to right,rgba(0,94,184,.28) {share:.1f}%,transparent {share:.1f}%) no-repeat"
_TONES = {"good": ("✓", "#00845a"), "bad": ("✕", "#d5281b"), "waiting": ("…", "#b87400"), "plain": ("", _LINE)}
_NARROWEST = 8


_GOOD = ("approved", "completed", "released", "admitted", "opted_in")
_BAD = ("rejected", "failed", "cancelled", "withheld", "blocked", "revoked", "suspended", "expired", "closed")


@dataclass(frozen=True)
class Cell:
    """A table's cell.

    Attributes:
        text: what it says.
        title: what it says where there is room; the same when left out.
        share: how much of it a bar fills, 0 to 1; no bar when left out.
    """

    text: str
    title: str = ""
    share: float | None = None


def table(heads: Sequence[tuple[str, bool]], rows: Iterable[Sequence[Cell]], caption_html: str = "") -> str:
    """A table.

    Args:
        heads: of each column what it is called, and whether it holds numbers.
        rows: of each row its cells.
        caption_html: what it shows.
    """
    sides = ["right" if number else "left" for _, number in heads]
    head = "".join(
        f'<th scope="col" style="{_HEAD.format(side=side)}">{escape(name)}</th>'
        for (name, _), side in zip(heads, sides, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(_cell(cell, side) for cell, side in zip(row, sides, strict=True))}</tr>" for row in rows
    )
    caption = f'<caption style="text-align:left;padding:.3em 0;white-space:nowrap">{caption_html}</caption>'
    rows_html = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<table style="{_TABLE}">{caption if caption_html else ""}{rows_html}</table>'


def tone_of(state: Enum) -> Tone:
    """How a state of the contract is shown; what is neither good nor bad goes on."""
    return "good" if state.value in _GOOD else "bad" if state.value in _BAD else "waiting"


def card(title: str, *parts_html: str, state: tuple[str, Tone] | None = None) -> str:
    """A thing with a name: its title, its state, and what there is to say of it.

    Args:
        title: what it is.
        parts_html: what stands under it, in order.
        state: a word for how it stands, and its tone.
    """
    tone: Tone = state[1] if state else "plain"
    edge = f"border-left:4px solid {_TONES[tone][1]};padding:.1em 0 .1em .8em;margin:.4em 0"
    badge = f" {badge_of(*state)}" if state else ""
    head = f'<p style="margin:.2em 0"><strong>{escape(title)}</strong>{badge}</p>'
    return f'<div role="group" aria-label="{escape(title)}" style="{edge}">{head}{"".join(parts_html)}</div>'


def badge_of(word: str, tone: Tone) -> str:
    """A state as a word in a frame, with a sign before it."""
    sign, colour = _TONES[tone]
    before = f'<span aria-hidden="true">{sign} </span>' if sign else ""
    style = f"border:1px solid {colour};border-radius:1em;padding:.05em .6em;margin-left:.4em;white-space:nowrap"
    return f'<span style="{style}">{before}{escape(word)}</span>'


def said(*lines: str) -> str:
    """Lines of text, each a paragraph; empty ones are left out."""
    return "".join(f'<p style="margin:.2em 0;max-width:60em">{escape(line)}</p>' for line in lines if line)


def listed(lines: Iterable[str]) -> str:
    """Lines of text as a list."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul style="margin:.2em 0">{items}</ul>' if items else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what they stand for, those without anything left out."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal;opacity:.8;padding:.1em 1em .1em 0;'
        f'vertical-align:top">{escape(name)}</th>'
        f'<td style="text-align:left;vertical-align:top">{escape(value)}</td></tr>'
        for name, value in pairs
        if value
    )
    return f'<table style="{_TABLE}"><tbody>{rows}</tbody></table>' if rows else ""


def folded(summary: str, inner_html: str) -> str:
    """Something that opens when asked."""
    return f'<details style="margin:.2em 0"><summary>{escape(summary)}</summary>{inner_html}</details>'


def link(text: str, address: str) -> str:
    """A link into another page; only to web addresses and to places on the same hub, else the text alone."""
    if not address.startswith(("https://", "http://", "/")):
        return escape(text)
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(text)}</a>'


def tip(code: str, what: str) -> str:
    """What to do next: a line of code, and what it does."""
    return f'<p style="margin:.2em 0;opacity:.85"><code>{escape(code)}</code> {escape(what)}</p>'


def drawn(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], width: int = WIDTH) -> str:
    """A table in lines of text, as wide as it has to be; words that have no room go on in the next line."""
    widths = _widths([heads, *rows], width)
    top, middle, bottom = ("┌┬┐", "╞╪╡", "└┴┘")
    lines = [_rule(widths, top, "─"), *_lines(heads, widths, [False] * len(widths)), _rule(widths, middle, "═")]
    for row in rows:
        lines += _lines(row, widths, right)
    return "\n".join([*lines, _rule(widths, bottom, "─")])


def _cell(cell: Cell, side: str) -> str:
    style = _CELL.format(side=side)
    if cell.share is not None:
        style += f";background:{_FILL.format(share=100 * min(max(cell.share, 0.0), 1.0))}"
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    style += ";white-space:nowrap" if cell.title else ""
    return f'<td style="{style}"{title}>{escape(cell.text)}</td>'


def _widths(rows: Sequence[Sequence[str]], most: int) -> list[int]:
    """Of each column, so that all of them have room: the widest gives first."""
    widths = [max((_width(cell) for cell in column), default=0) for column in zip(*rows, strict=True)]
    while sum(widths) + 3 * len(widths) + 1 > most and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _lines(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    height = max((len(cell) for cell in cells), default=1)
    filled = [
        [_padded(line, width, side) for line in [*cell, *[""] * (height - len(cell))]]
        for cell, width, side in zip(cells, widths, right, strict=True)
    ]
    return ["│ " + " ┆ ".join(parts) + " │" for parts in zip(*filled, strict=True)]


def _wrapped(text: str, width: int) -> list[str]:
    if _width(text) <= width and "\n" not in text:
        return [text]
    return textwrap.wrap(text, max(width, 1)) or [""]


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * max(width - _width(text), 0)
    return space + text if right else text + space


def _rule(widths: Sequence[int], ends: str, stroke: str) -> str:
    return ends[0] + ends[1].join(stroke * (width + 2) for width in widths) + ends[2]


def _width(text: str) -> int:
    """Columns of a terminal."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
