"""A drawing with words for those who cannot see it, as SVG inside the page: no network, no JavaScript."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY, INK = "#005eb8", "#b5510c", "#00703c", "#6b7780", "#212b32"
"""Told apart by people of every colour vision, each at least 4.5:1 against white."""
SERIES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (GREY, "D"))
"""Colour and marker together: colour alone never tells two things apart."""


@dataclass(frozen=True)
class Picture:
    """An SVG drawing.

    Attributes:
        svg: the drawing.
        alt: what it shows, in words.
        caption: what to read off it.
    """

    svg: bytes
    alt: str
    caption: str

    def _repr_html_(self) -> str:
        source = f"data:image/svg+xml;base64,{base64.b64encode(self.svg).decode()}"
        return (
            '<figure style="margin:1em 0;break-inside:avoid">'
            f'<img alt="{escape(self.alt)}" src="{source}" style="max-width:100%;height:auto">'
            f'<figcaption style="max-width:46em">{escape(self.caption)}</figcaption></figure>'
        )

    def __repr__(self) -> str:
        return f"{self.alt}\n{self.caption}"


def canvas(rows: int, columns: int, width: float, height: float, *, alike: bool = True) -> tuple[Figure, list[Axes]]:
    """An empty figure with this grid of axes, drawn without any window or global state; alike: rows share their y."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False, sharey="row" if alike else False)
    axes = [one for row in grid for one in row]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(colors=INK, labelsize=11)
        one.xaxis.label.set_fontsize(11)
        one.grid(axis="x", color="#d8dde0", linewidth=0.8)
        one.set_axisbelow(True)
    return figure, axes


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Name the rows from the top down, with room for what is drawn in the first and the last."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def picture(figure: Figure, alt: str, caption: str) -> Picture:
    """The figure as a Picture, the same bytes for the same content."""
    import matplotlib as mpl

    out = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "flip"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return Picture(out.getvalue(), alt, caption)


def words_only(text: str) -> Picture:
    """What stands in a drawing's place when there is nothing to draw."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"></svg>'
    return Picture(svg, "", text)
