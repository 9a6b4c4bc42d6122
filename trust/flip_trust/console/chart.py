"""A picture of spending as SVG: lines by attributes alone, so that the strictest content policy lets it be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flip_trust.console.spending import Point

WIDTH, HEIGHT = 640, 220
_HEADROOM = 1.08


@dataclass(frozen=True)
class Chart:
    """What the template draws.

    Attributes:
        path: of the line, a staircase, as a budget is spent in steps.
        area: the same, closed at the bottom.
        cap_y: height of the cap's line; None where the cap lies above the picture.
        top: ε at the picture's upper edge.
        first: when it begins.
        last: when it ends.
    """

    path: str
    area: str
    cap_y: float | None
    top: float
    first: datetime
    last: datetime


def chart(points: Sequence[Point], cap: float) -> Chart | None:
    """Spending over time under its cap; None where nothing was spent."""
    if len(points) < 2:
        return None
    spent = points[-1].epsilon
    # a cap far above what was spent would press the line to the floor: then it is told in words alone
    shows_cap = cap <= 5 * spent
    top = _HEADROOM * max(spent, cap if shows_cap else 0.0) or 1.0
    first, last = points[0].at, points[-1].at
    length = (last - first).total_seconds() or 1.0

    def x(point: Point) -> str:
        return f"{WIDTH * (point.at - first).total_seconds() / length:.1f}"

    def y(epsilon: float) -> str:
        return f"{HEIGHT * (1 - epsilon / top):.1f}"

    steps = [f"M0 {HEIGHT}V{y(points[0].epsilon)}", *(f"H{x(point)}V{y(point.epsilon)}" for point in points[1:])]
    path = "".join(steps)
    return Chart(path, f"{path}V{HEIGHT}Z", float(y(cap)) if shows_cap else None, top, first, last)
