"""A dashboard as one page without scripts: what it showed when it was drawn, to read, to print and to embed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from nbconvert.filters.markdown import markdown2html
from nbformat import NotebookNode

from flip_hub.dashboards.styles import FRAME_STYLES, PAGE_STYLES

WIDGET = "application/vnd.jupyter.widget-view+json"
_FAILED = "This part could not be computed. What follows it is left out."
_WIDGETS = "Here the page has controls, which work when it is opened at the hub."
LEAST_PICTURE = 400
"""Characters: what stands in a picture's place where there is nothing to draw is shorter."""
_PICTURE = re.compile(r"""<img\b[^>]*\bsrc=["'](data:image/(?:svg\+xml|png|jpeg);base64,[^"']+)["']""")


@dataclass(frozen=True)
class Facts:
    """What a page says of itself.

    Attributes:
        where: project, name and version.
        state: whether it is a draft, or for whom it was released, in words.
        drawn: when it was drawn, in words.
    """

    hub: str
    title: str
    where: str
    state: str
    drawn: str


def page(notebook: NotebookNode, facts: Facts) -> str:
    """The whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(facts.title)} – {escape(facts.hub)}</title>\n<style>{FRAME_STYLES}{PAGE_STYLES}</style>\n"
        f"</head>\n<body>\n{header(facts)}\n{_main(notebook, facts)}\n{footer(facts)}\n</body>\n</html>\n"
    )


def preview(notebook: NotebookNode, facts: Facts) -> str:
    """What is shown in the place of a page with controls until they work; apart from that page's own styles."""
    inside = f"<style>{PAGE_STYLES}</style>{_main(notebook, facts)}"
    return f'<div inert><template shadowrootmode="open">{inside}</template></div>'


def header(facts: Facts) -> str:
    """The line above a dashboard."""
    hub, state = escape(facts.hub), escape(facts.state)
    return f'<header class="flip-head"><p class="hub">{hub}</p><p class="state">{state}</p></header>'


def footer(facts: Facts) -> str:
    """The line below a dashboard."""
    where, state, drawn = escape(facts.where), escape(facts.state), escape(facts.drawn)
    words = f"{where} · {state} · drawn {drawn}. Patients’ data stayed in each hospital."
    return f'<footer class="flip-foot"><p>{words}</p></footer>'


def _main(notebook: NotebookNode, facts: Facts) -> str:
    body = "\n".join(part for part in map(_cell, notebook.cells) if part)
    heading = "" if re.search(r"<h1\b", body) else f"<h1>{escape(facts.title)}</h1>"
    return f"<main>\n{heading}{body}\n</main>"


def is_live(notebook: NotebookNode) -> bool:
    """Whether it has controls, so that a viewer needs a kernel."""
    return any(WIDGET in data for data in _all_data(notebook))


def first_picture(notebook: NotebookNode) -> str:
    """The first picture that it shows, as a data address; empty where it shows none."""
    for data in _all_data(notebook):
        match = _PICTURE.search(str(data.get("text/html", "")))
        if match and len(match[1]) > LEAST_PICTURE:
            return match[1]
        for kind in ("image/png", "image/jpeg"):
            if kind in data:
                return f"data:{kind};base64,{''.join(str(data[kind]).split())}"
    return ""


def _all_data(notebook: NotebookNode) -> list[dict[str, Any]]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.data for output in outputs if "data" in output]


def _cell(cell: NotebookNode) -> str:
    if cell.cell_type == "markdown":
        return f'<section class="words">{markdown2html(cell.source)}</section>'
    if cell.cell_type != "code":
        return ""
    shown = "\n".join(part for part in map(_output, cell.outputs) if part)
    return f'<section class="result">{shown}</section>' if shown else ""


def _output(output: NotebookNode) -> str:
    if output.output_type == "error":
        return f'<p class="failed">{_FAILED}</p>'
    if output.output_type == "stream":
        return f"<pre>{escape(output.text)}</pre>" if output.name == "stdout" and output.text.strip() else ""
    kind = next((kind for kind in _DRAWN if output.data.get(kind)), None)
    return _DRAWN[kind](output.data) if kind else ""


def _shown(html: str) -> str:
    """A table may be wider than a small screen: it scrolls, also by keyboard."""
    scrolls = ' tabindex="0" role="group" aria-label="Table"' if "<table" in html else ""
    return f'<div class="shown"{scrolls}>{html}</div>'


def _picture(kind: str) -> Callable[[dict[str, Any]], str]:
    def drawn(data: dict[str, Any]) -> str:
        return f'<img alt="{_words(data)}" src="data:{kind};base64,{"".join(str(data[kind]).split())}">'

    return drawn


def _words(data: dict[str, Any]) -> str:
    """What a picture shows, as far as its author said it."""
    said = str(data.get("text/plain", ""))
    return escape("A picture without words" if not said or said.startswith("<") else said)


_DRAWN: dict[str, Callable[[dict[str, Any]], str]] = {
    WIDGET: lambda _: f'<p class="left-out">{_WIDGETS}</p>',
    "text/html": lambda data: _shown(str(data["text/html"])),
    "image/svg+xml": lambda data: f'<figure role="img" aria-label="{_words(data)}">{data["image/svg+xml"]}</figure>',
    "image/png": _picture("image/png"),
    "image/jpeg": _picture("image/jpeg"),
    "text/markdown": lambda data: str(markdown2html(data["text/markdown"])),
    "text/plain": lambda data: f"<pre>{escape(str(data['text/plain']))}</pre>",
}
"""How each kind of output is drawn, the best first."""
