"""The mapping report: what was loaded, what was not mapped and how often, and why what was refused was refused."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rich.table import Table

from flip_trust.keys import write_private

MOST_SHOWN = 20
Name = TypeVar("Name", str, tuple[str, str])


@dataclass
class MappingReport:
    """What one run did. It names no person, but it may name rare codes: it stays at the Trust.

    Attributes:
        source: what kind of records.
        read: how many things were read, by their kind.
        loaded: rows by table.
        mapped: codes that the vocabulary has a standard concept for, by the number of their uses.
        unmapped: the others: (vocabulary or system, code) and the number of uses; their rows have concept 0.
        refused: things refused, by reason.
        passed_over: things that are sound and are not taken, by what they are.
        withdrawn: rows removed, as their source was withdrawn by its sender.
        moved: rows of persons who were merged, that went to the person who survives.
        periods: persons by where their period of observation is from, after the run.
        kept_in: files of the quarantine.
        not_read: files of a folder that could not be read at all, and why; they stay where they are.
    """

    source: str
    read: Counter[str] = field(default_factory=Counter)
    loaded: Counter[str] = field(default_factory=Counter)
    mapped: int = 0
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    moved: int = 0
    periods: Counter[str] = field(default_factory=Counter)
    kept_in: list[Path] = field(default_factory=list)
    not_read: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The whole report as JSON values."""
        return {
            "source": self.source,
            "read": dict(self.read),
            "loaded": dict(self.loaded),
            "mapped": self.mapped,
            "unmapped": [{"system": s, "code": c, "uses": n} for (s, c), n in _ranked(self.unmapped)],
            "refused": [{"reason": reason, "count": n} for reason, n in _ranked(self.refused)],
            "passed_over": dict(self.passed_over),
            "withdrawn": self.withdrawn,
            "moved": self.moved,
            "observation_periods": dict(self.periods),
            "kept_in": [str(path) for path in self.kept_in],
            "not_read": self.not_read,
        }

    def tables(self) -> Iterator[Table]:
        """For the terminal."""
        for title, heads, rows in self._parts():
            if rows:
                table = Table(*heads, title=title)
                for row in rows[:MOST_SHOWN]:
                    table.add_row(*row)
                if len(rows) > MOST_SHOWN:
                    table.add_row(*[f"and {len(rows) - MOST_SHOWN} more", *("" for _ in heads[1:])])
                yield table

    def as_html(self) -> str:
        """A page without any script."""
        parts = [f"<h1>Records in: {html.escape(self.source)}</h1>"]
        for title, heads, rows in self._parts():
            if rows:
                head = "".join(f"<th scope=col>{html.escape(cell)}" for cell in heads)
                body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in row) for row in rows)
                parts.append(f"<table><caption>{html.escape(title)}</caption><tr>{head}{body}</table>")
        return page("Records in", "\n".join(parts))

    def save(self, path: Path) -> None:
        """Write the report: a page where the name ends in ``.html``, else JSON."""
        text = self.as_html() if path.suffix == ".html" else json.dumps(self.as_json(), indent=2) + "\n"
        write_private(path, text.encode())

    def _parts(self) -> Iterator[tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]]:
        yield "Read", ("what", "how many"), _pairs(self.read)
        yield "Loaded", ("table", "rows"), _pairs(self.loaded)
        if self.mapped or self.unmapped:
            yield "Codes", ("", "uses"), [("mapped", f"{self.mapped}"), ("not mapped", f"{self.unmapped.total()}")]
        rows = [(system, code, f"{count}") for (system, code), count in _ranked(self.unmapped)]
        yield "Codes that are not mapped (concept 0)", ("system", "code", "uses"), rows
        yield "Not taken", ("what", "how many"), _pairs(self.passed_over)
        yield "Withdrawn", ("rows",), [(f"{self.withdrawn}",)] if self.withdrawn else []
        moved = [("of persons who were merged, to who survives", f"{self.moved}")] if self.moved else []
        yield "Moved", ("what", "rows"), moved
        yield "Periods of observation", ("where they are from", "persons"), _pairs(+self.periods)
        yield "Refused", ("reason", "how many"), _pairs(self.refused)
        yield "Files that could not be read", ("file", "why"), list(self.not_read.items())
        yield "Refused things are kept in", ("file",), [(str(path),) for path in self.kept_in]


def page(title: str, body: str) -> str:
    """An HTML page that needs nothing else."""
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#212b32}"
        "table{border-collapse:collapse;margin:1.5rem 0;width:100%}caption{font-weight:600;text-align:left}"
        "th,td{border-bottom:1px solid #d8dde0;padding:.3rem .6rem;text-align:left;vertical-align:top}"
        "figure{margin:1.5rem 0}"
        ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(24rem,1fr));gap:0 2rem}"
        "summary{cursor:pointer;margin:1rem 0}.fail{color:#b10e1e;font-weight:600}.pass{color:#00603b}"
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{style}</style><body>\n{body}\n</body></html>\n"
    )


def _pairs(counted: Counter[str]) -> list[tuple[str, str]]:
    return [(name, f"{count}") for name, count in _ranked(counted)]


def _ranked(counted: Counter[Name]) -> list[tuple[Name, int]]:
    """The most common first, ties by name: what is counted comes in no set order."""
    return sorted(counted.items(), key=lambda one: (-one[1], one[0]))
