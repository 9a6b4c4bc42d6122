"""Who is not signed in is answered so often, and takes nothing from others."""

from __future__ import annotations

import pytest
from flip_hub.dashboards import public
from flip_hub.dashboards.public import Turnstile, caller


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(turnstile: Turnstile, address: str, times: int) -> int:
    return sum(turnstile.admits(address) for _ in range(times))


def test_an_address_is_answered_so_often_and_then_again(clock: Clock) -> None:
    turnstile = Turnstile(clock)
    assert admitted(turnstile, "192.0.2.1", 100) == public.EACH_AT_ONCE
    assert admitted(turnstile, "192.0.2.2", 3) == 3
    clock.seconds += 2
    assert admitted(turnstile, "192.0.2.1", 100) == 2 * public.EACH_PER_SECOND


def test_many_addresses_together_take_no_more_than_all_may(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "MOST_ADDRESSES", 50)
    turnstile = Turnstile(clock)
    assert sum(turnstile.admits(f"192.0.2.{n}") for n in range(250)) == public.ALL_AT_ONCE
    assert len(turnstile._each) <= 50
    clock.seconds += 60
    assert turnstile.admits("198.51.100.1")
    assert len(turnstile._each) == 1


@pytest.mark.parametrize(
    ("forwarded", "seen"),
    [(None, "127.0.0.1"), ("", "127.0.0.1"), ("192.0.2.7", "192.0.2.7"), ("10.0.0.1, 192.0.2.7", "192.0.2.7")],
    ids=["none", "empty", "one", "made-up"],
)
def test_what_a_caller_says_of_itself_does_not_count(forwarded: str | None, seen: str) -> None:
    assert caller(forwarded, "127.0.0.1") == seen
