"""Who is not signed in: what they may see, and how often they may ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from flip_sdk.errors import PublicError

from flip_hub.dashboards.access import viewable
from flip_hub.database import DashboardVersion
from flip_hub.governance.office import Office

EACH_PER_SECOND, EACH_AT_ONCE = 5.0, 40.0
"""Of one address; many people may share one."""
ALL_PER_SECOND, ALL_AT_ONCE = 50.0, 200.0
"""Of everybody who is not signed in, together: what they ask takes nothing from those who are."""
MOST_ADDRESSES = 10_000


def public_version(office: Office, project: str, name: str, version: int | None) -> DashboardVersion | None:
    """The version that everybody may see; None where there is none, whatever else there is."""
    try:
        with office.database.read() as session:
            return viewable(office, session, None, project, name, version)
    except PublicError:
        return None


@dataclass
class Bucket:
    """What is left of a share that fills up again steadily.

    Attributes:
        left: how many more requests it holds.
        since: when that was, in seconds.
    """

    per_second: float
    at_once: float
    left: float
    since: float

    def take(self, at: float) -> bool:
        """Take one, where one is left."""
        self.left = min(self.at_once, self.left + (at - self.since) * self.per_second)
        self.since = at
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def is_full(self, at: float) -> bool:
        """Whether nothing was taken lately: it need not be remembered."""
        return self.left + (at - self.since) * self.per_second >= self.at_once


@dataclass
class Turnstile:
    """Lets those who are not signed in through, so many in a second.

    Attributes:
        clock: seconds.
    """

    clock: Callable[[], float] = monotonic
    _each: dict[str, Bucket] = field(default_factory=dict)
    _all: Bucket = field(init=False)

    def __post_init__(self) -> None:
        self._all = Bucket(ALL_PER_SECOND, ALL_AT_ONCE, ALL_AT_ONCE, self.clock())

    def admits(self, address: str) -> bool:
        """Whether one more request of this address is answered."""
        at = self.clock()
        if len(self._each) >= MOST_ADDRESSES:
            self._each = {one: bucket for one, bucket in self._each.items() if not bucket.is_full(at)}
        if address not in self._each and len(self._each) < MOST_ADDRESSES:
            self._each[address] = Bucket(EACH_PER_SECOND, EACH_AT_ONCE, EACH_AT_ONCE, at)
        own = self._each.get(address)
        # the own share first: who has used theirs up takes nothing of the others'
        return (own is None or own.take(at)) and self._all.take(at)


def caller(forwarded: str | None, peer: str) -> str:
    """The address that asks: what the hub's own proxy, which is the last, says of whom it forwards for."""
    return (forwarded or "").rpartition(",")[2].strip() or peer
