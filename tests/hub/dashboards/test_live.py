"""What Voila's page is completed with."""

from __future__ import annotations

from flip_hub.dashboards.live import completed, has_gaps
from flip_hub.dashboards.snapshot import Facts

FACTS = Facts("FLIP hub", "Loss < gain", "p, report, version 2", "Released", "today")


def test_each_gap_is_filled_and_words_are_escaped() -> None:
    page = "".join(f"<!--flip:{name}-->" for name in ("title", "styles", "head", "drawn", "foot"))
    told = completed(page, FACTS, "<p>drawn</p>")
    assert not has_gaps(told)
    assert "Loss &lt; gain – FLIP hub" in told
    assert "<p>drawn</p>" in told
    assert "p, report, version 2" in told


def test_what_a_notebook_writes_fills_no_gap_twice() -> None:
    told = completed("<!--flip:drawn--><p>a cell</p><!--flip:drawn-->", FACTS, "drawn")
    assert told.count("drawn") == 2
