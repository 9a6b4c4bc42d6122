"""Warming waits for viewers who come, and not for ever."""

from __future__ import annotations

from flip_hub.dashboards.pause import LONGEST_SECONDS, SECONDS, Pause


def test_it_holds_for_a_while_after_a_viewer_came() -> None:
    at = [100.0]
    pause = Pause(lambda: at[0])
    assert not pause.holds
    pause.begin()
    assert pause.holds
    at[0] += SECONDS
    assert not pause.holds


def test_viewers_who_go_on_coming_do_not_hold_it_for_ever() -> None:
    at = [100.0]
    pause = Pause(lambda: at[0])
    held = []
    for _ in range(20):
        pause.begin()
        held.append(pause.holds)
        at[0] += SECONDS / 2
    assert held[0]
    assert held.index(False) == LONGEST_SECONDS // (SECONDS / 2) + 1
    at[0] += SECONDS
    pause.begin()
    assert pause.holds
