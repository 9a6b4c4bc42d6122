from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from flip_sdk.contract.api import JobEvent, JobEvents, JobView
from flip_sdk.contract.states import JobState
from flip_sdk.watching import page, views
from flip_sdk.watching.progress import Progress
from rich.console import Console

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


def progress(words: str = "a answered.", rounds: int = 3, state: JobState = JobState.EXECUTING) -> Progress:
    job = JobView(
        job_id="j1",
        project_id="p",
        kind="train",
        state=state,
        reason=words if state == JobState.FAILED else "",
        round=rounds,
        rounds=4,
        trusts=("a",),
        submitted_by="ada",
        submitted_at=NOW,
    )
    events = [
        JobEvent(sequence=i, at=NOW, event="round", round=i, numbers={"loss": 1 / i}) for i in range(1, rounds + 1)
    ]
    events.append(JobEvent(sequence=99, at=NOW, event="update", trust="a", words=words))
    made = Progress(job, epsilon=3.0, notes=(words,))
    made.take(JobEvents(job=job, events=tuple(events)))
    return made


class Tags(HTMLParser):
    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_has_a_bar_a_curve_in_words_and_the_trusts() -> None:
    tags = Tags(page.html(progress()))
    assert tags.of("progress")[0]["value"] == "75"
    (svg,) = tags.of("svg")
    assert svg["role"] == "img"
    assert svg["aria-label"]
    assert tags.of("th")


@pytest.mark.parametrize("state", [JobState.EXECUTING, JobState.FAILED])
def test_nothing_from_outside_becomes_part_of_the_page(state: JobState) -> None:
    hostile = progress(HOSTILE, state=state)
    hostile.note = HOSTILE
    hostile.curve_name = HOSTILE
    assert not Tags(page.html(hostile)).of("script")


@pytest.mark.parametrize("rounds", [0, 1])
def test_no_curve_before_there_are_two_points(rounds: int) -> None:
    assert page.curve(progress(rounds=rounds)) == ""


def test_a_level_curve_is_drawn_too() -> None:
    level = progress()
    level.curve = [(1, 0.5), (2, 0.5)]
    assert "nan" not in page.curve(level)


def test_lines_tell_rounds_once_and_end_with_the_trusts(capsys: pytest.CaptureFixture[str]) -> None:
    view = views.PlainView()
    shown = progress()
    view.open(shown)
    view.update(shown)
    view.update(shown)
    view.note("the hub is away")
    view.close(progress(state=JobState.COMPLETED, rounds=4))
    lines = capsys.readouterr().err.splitlines()
    assert lines.count(f"{shown.headline} · {shown.latest}") == 1
    assert "the hub is away" in lines
    assert any("a: answered." in line for line in lines)


def test_the_terminal_shows_and_leaves_a_summary() -> None:
    out = io.StringIO()
    view = views.TerminalView(Console(file=out, force_terminal=True, width=100))
    shown = progress()
    view.open(shown)
    view.update(shown)
    view.note("[red]the hub is away")
    view.close(shown)
    assert shown.headline in out.getvalue()
    assert "[red]the hub is away" in out.getvalue()


def test_lines_are_chosen_where_nothing_else_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(views.choose_view(), views.PlainView)


def test_a_terminal_is_chosen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(views.choose_view(), views.TerminalView)


def test_sparklines() -> None:
    assert views.sparkline([0.0, 0.5, 1.0]) == "▁▄█"
    assert views.sparkline([1.0]) == ""
    assert len(views.sparkline([0.0, 1.0] * 100, width=20)) == 20
