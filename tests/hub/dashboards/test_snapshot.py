"""A dashboard as one page without scripts."""

from __future__ import annotations

import nbformat
from flip_hub.dashboards.snapshot import Facts, page

FACTS = Facts("FLIP hub", "Report", "p, report, version 1", "draft", "today")


def drawn(html: str) -> str:
    output = nbformat.v4.new_output("display_data", {"text/html": html})  # type: ignore[no-untyped-call]
    cell = nbformat.v4.new_code_cell("", outputs=[output])  # type: ignore[no-untyped-call]
    return page(nbformat.v4.new_notebook(cells=[cell]), FACTS)  # type: ignore[no-untyped-call]


def test_a_table_that_is_wider_than_the_screen_scrolls_by_keyboard() -> None:
    assert '<div class="shown" tabindex="0" role="group" aria-label="Table"><table>' in drawn("<table></table>")


def test_what_does_not_scroll_is_no_stop_of_the_keyboard() -> None:
    assert "tabindex" not in drawn("<p>Nothing to scroll.</p>")
