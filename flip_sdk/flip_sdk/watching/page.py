"""A job's progress as HTML (with a curve drawn in SVG, no JavaScript) and as plain text.

Everything that comes from outside is escaped: a Trust's name or a reason must not become part of the page.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from flip_sdk import looks
from flip_sdk.contract.api import JobEvent
from flip_sdk.curves import words_for
from flip_sdk.watching.progress import Progress

WIDTH, HEIGHT, MARGIN = 420, 130, 34
BLUE = "#005eb8"
RED = "#d5281b"


def html(progress: Progress, *, live: bool = False) -> str:
    """The whole picture, in one element; ``live`` leaves out what widgets show beside it."""
    still = [] if live else [bar(progress), curve(progress)]
    parts = [_headline(progress), *still, table(progress), meters(progress)]
    parts += [looks.said(progress.brief_cost, *progress.notes, progress.note), log(progress)]
    return f'<div role="group" aria-label="Job progress">{"".join(parts)}</div>'


def fields(progress: Progress) -> dict[str, Any]:
    """The whole picture, as a live view draws it: plain values, nothing escaped."""
    return {
        "job": progress.job.job_id,
        "headline": progress.headline,
        "reason": progress.job.reason,
        "share": progress.share,
        "failed": progress.failed,
        "ended": progress.ended,
        "trusts": [{"name": name, "words": words} for name, words in progress.trusts.items()],
        "curve": [list(point) for point in progress.curve],
        "curve_name": words_for(progress.curve_name) if progress.curve_name else "",
        "meters": [{**one._asdict(), "words": one.words} for one in progress.meters],
        "lines": [line for line in (progress.brief_cost, *progress.notes) if line],
        "note": progress.note,
        "log": [{"at": f"{event.at:%H:%M:%S}", "words": told(event)} for event in progress.log],
    }


def text(progress: Progress) -> str:
    """The whole picture, in lines."""
    lines = [progress.headline + (f" · {progress.latest}" if progress.latest else "")]
    lines += [progress.job.reason] if progress.job.reason else []
    lines += [f"  {name}: {words}" for name, words in progress.trusts.items()]
    lines += [f"  {line}" for line in (progress.cost, *progress.notes, progress.note) if line]
    return "\n".join(lines)


def told(event: JobEvent) -> str:
    """An event as a line."""
    words = event.words or event.event.replace("_", " ").replace(".", " ")
    numbers = ", ".join(f"{words_for(name)} {value:.4g}" for name, value in event.numbers.items())
    where = f" (round {event.round})" if event.event == "round" else ""
    return f"{words}{where}{': ' + numbers if numbers else ''}"


def meters(progress: Progress) -> str:
    """What the job spends of each Trust's budget, as bars with words."""
    rows = [
        [looks.Cell(one.trust), looks.Cell(one.words, share=one.after / one.cap if one.cap else None)]
        for one in progress.meters
    ]
    heads = [("Trust", False), ("Privacy budget (unit: person)", False)]
    return looks.table(heads, rows, "What this job spends") if rows else ""


def log(progress: Progress) -> str:
    """The last steps, newest first."""
    lines = [f"{event.at:%H:%M:%S} {told(event)}" for event in reversed(progress.log)]
    return looks.folded(f"Log ({len(lines)} steps)", looks.listed(lines)) if lines else ""


def bar(progress: Progress) -> str:
    """How much is done."""
    percent = round(progress.share * 100)
    style = f"display:block;width:{WIDTH}px"
    return f'<progress value="{percent}" max="100" style="{style}" aria-label="Rounds done">{percent} %</progress>'


def table(progress: Progress) -> str:
    """What each Trust last did."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;padding:.1em .8em .1em 0">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(words)}</td></tr>'
        for name, words in progress.trusts.items()
    )
    return f"<table>{rows}</table>" if rows else ""


def curve(progress: Progress) -> str:
    """The rounds' values as a line, with its first and last value in words for those who cannot see it."""
    if len(progress.curve) < 2:
        return ""
    rounds, values = zip(*progress.curve, strict=True)
    low, high = min(values), max(values)
    x_of, y_of = _scale(min(rounds), max(rounds), MARGIN, WIDTH - 8), _scale(low, high, HEIGHT - 22, 10)
    points = " ".join(f"{x_of(r):.1f},{y_of(v):.1f}" for r, v in progress.curve)
    name = escape(words_for(progress.curve_name))
    words = f"{name} by round, from {values[0]:.4g} in round {rounds[0]} to {values[-1]:.4g} in round {rounds[-1]}"
    label = 'font-size="11" fill="currentColor"'
    return (
        f'<svg role="img" aria-label="{words}" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'style="display:block;max-width:100%">'
        f"<title>{words}</title>"
        f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="2"/>'
        f'<circle cx="{x_of(rounds[-1]):.1f}" cy="{y_of(values[-1]):.1f}" r="3" fill="{BLUE}"/>'
        f'<text x="0" y="14" {label}>{high:.3g}</text><text x="0" y="{HEIGHT - 22}" {label}>{low:.3g}</text>'
        f'<text x="{MARGIN}" y="{HEIGHT - 4}" {label}>round {rounds[0]}</text>'
        f'<text x="{WIDTH - 8}" y="{HEIGHT - 4}" text-anchor="end" {label}>round {rounds[-1]} · {name}</text></svg>'
    )


def _headline(progress: Progress) -> str:
    colour = f"color:{RED};" if progress.failed else ""
    reason = f'<p style="margin:.2em 0">{escape(progress.job.reason)}</p>' if progress.job.reason else ""
    return f'<p style="{colour}margin:.2em 0"><strong>{escape(progress.headline)}</strong></p>{reason}'


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """A straight line from values to pixels."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)
