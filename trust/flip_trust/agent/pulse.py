"""Whether the agent lives, and when it last reached the hub: a small file that it writes again and again.

It is no record of anything: it may be missing, and says nothing after its agent is gone.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

FILE = "agent.json"
_MISSED = 3
_GRACE = 10.0


@dataclass(frozen=True)
class Pulse:
    """What the agent last said of itself.

    Attributes:
        started_at: when it was started, in ISO 8601, as are the others.
        alive_at: when it wrote this.
        reached_at: when the hub last took what it said; empty if it never did.
        asked_at: when the hub last said which projects want this Trust's data; empty if it never did.
        trouble: why the hub was not reached the last time: ``away``, ``refused``, ``failed``; empty where it was.
        interval: seconds between two of these.
    """

    started_at: str
    alive_at: str
    reached_at: str = ""
    asked_at: str = ""
    trouble: str = ""
    interval: float = 5.0

    def lives(self, now: datetime) -> bool:
        """Whether it was written so lately that its agent still runs."""
        silent = (now - datetime.fromisoformat(self.alive_at)).total_seconds()
        return silent < _MISSED * self.interval + _GRACE

    def beat(self, now: datetime, trouble: str, *, asked: bool) -> Pulse:
        """The next one."""
        at = now.isoformat()
        reached = self if trouble else replace(self, reached_at=at)
        return replace(reached, alive_at=at, trouble=trouble, asked_at=at if asked else self.asked_at)


def write(home: Path, pulse: Pulse) -> None:
    """Write it, in one step.

    Raises:
        OSError: it cannot be written.
    """
    beside = home / f"{FILE}.new"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(asdict(pulse), stream)
    beside.replace(home / FILE)


def read(home: Path) -> Pulse | None:
    """What was last written; None where there is nothing that can be read."""
    try:
        content = json.loads((home / FILE).read_text(encoding="utf-8"))
        pulse = Pulse(**content)
        datetime.fromisoformat(pulse.alive_at)
    except (OSError, ValueError, TypeError):
        return None
    return pulse
