"""What the dispatcher notices between two looks: who is connected since when, and how long a round has lasted.

None of it is recorded: after a restart it starts afresh, so that every Trust has its patience again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec

from flip_hub.config import HubConfig

_FIRST_LOOKS = frozenset({"prepare", "evaluate"})


@dataclass(frozen=True)
class Limits:
    """How long the dispatcher waits, and how often it tries.

    Attributes:
        patience: for a Trust that is not connected, and for the gateway.
        task: how long a task is good for.
        round: how long a round may last for a Trust that is connected.
        outage: how long the gateway may be away before a job ends.
        resend: a connected Trust that has not answered for so long gets the task again (twice that for the next, …).
        pause: shortest time between two attempts.
        retries: attempts that may fail at the Trust (or come back unreadable) in one round.
        images: as ``task``, where a Trust may have to make its persons' images first.
    """

    patience: timedelta = timedelta(seconds=30)
    task: timedelta = timedelta(seconds=120)
    round: timedelta = timedelta(seconds=180)
    outage: timedelta = timedelta(seconds=600)
    resend: timedelta = timedelta(seconds=10)
    pause: timedelta = timedelta(milliseconds=250)
    retries: int = 3
    images: timedelta = timedelta(seconds=3600)

    def task_for(self, spec: AnySpec, step: str) -> timedelta:
        """How long a step's task is good for in a job."""
        return max(self.task, self.images) if _makes_images(spec, step) else self.task

    def round_for(self, spec: AnySpec, step: str) -> timedelta:
        """How long such a round may last for a Trust that is connected."""
        return self.round - self.task + self.task_for(spec, step)

    @classmethod
    def of(cls, config: HubConfig) -> Self:
        """The configured ones."""
        patience, task = timedelta(seconds=config.patience_seconds), timedelta(seconds=config.task_seconds)
        images = timedelta(seconds=config.image_seconds)
        return cls(patience, task, task + patience, max(cls.outage, 2 * task), images=images)


def _makes_images(spec: AnySpec, step: str) -> bool:
    return step in _FIRST_LOOKS and isinstance(spec, TrainSpec | EvaluateSpec) and spec.images is not None


@dataclass
class Watch:
    """One job's observations."""

    started_at: datetime
    online: frozenset[str] = frozenset()
    offline_since: dict[str, datetime] = field(default_factory=dict)
    back_at: dict[str, datetime] = field(default_factory=dict)
    tardy: set[str] = field(default_factory=set)
    outage_since: datetime | None = None

    def see(self, trusts: Collection[str], online: frozenset[str], now: datetime) -> None:
        """Take note of who is connected now."""
        if self.outage_since is not None:
            # nobody could answer while the gateway was away: every Trust has its patience again
            self.started_at, self.outage_since = now, None
            self.offline_since.clear()
        self.online = online
        for trust in trusts:
            if trust not in online:
                self.offline_since.setdefault(trust, now)
            elif self.offline_since.pop(trust, None) is not None:
                self.back_at[trust] = now

    def lose_sight(self, now: datetime) -> None:
        """The gateway cannot be reached."""
        self.online = frozenset()
        if self.outage_since is None:
            self.outage_since = now

    def begin_round(self, now: datetime) -> None:
        """A new round starts."""
        self.started_at = now
