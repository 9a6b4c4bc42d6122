"""When no kernel is warmed: just after a viewer came, whose page needs the processor first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

SECONDS, LONGEST_SECONDS = 3.0, 10.0
"""After the last viewer; and after the first, where others go on coming."""


@dataclass
class Pause:
    """A pause that each viewer begins anew, up to its longest.

    Attributes:
        clock: seconds.
    """

    clock: Callable[[], float] = monotonic
    _first: float = float("-inf")
    _last: float = float("-inf")

    def begin(self) -> None:
        """A viewer came."""
        at = self.clock()
        if at - self._last >= SECONDS:
            self._first = at
        self._last = at

    @property
    def holds(self) -> bool:
        """Whether nothing is warmed now."""
        at = self.clock()
        return at - self._last < SECONDS and at - self._first < LONGEST_SECONDS
