"""What the first page tells: what waits, how the agent is, what runs, and what fills up."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flip_trust.agent import pulse
from flip_trust.console import projects, quarantine_view, tasks_view
from flip_trust.console.desk import Desk
from flip_trust.console.projects import Project
from flip_trust.console.tasks_view import TaskRow
from flip_trust.ledger import store
from flip_trust.ledger.restored import is_unreconciled

_LITTLE = 0.05


@dataclass(frozen=True)
class Agent:
    """How the agent is.

    Attributes:
        runs: whether it was heard of lately.
        reached_at: when it last reached the hub; empty if never, or if no agent ever ran.
        asked_at: when the hub last told which projects there are.
        trouble: why the hub is not reached: ``away``, ``refused`` or ``failed``; empty where it is.
    """

    runs: bool
    reached_at: str = ""
    asked_at: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Disk:
    """The disk that holds the Trust's home."""

    total: int
    free: int

    @property
    def is_nearly_full(self) -> bool:
        """Whether little is left."""
        return self.free < _LITTLE * self.total

    @property
    def used_percent(self) -> float:
        """How full it is."""
        return 100 * (1 - self.free / self.total)


@dataclass(frozen=True)
class Overview:
    """The first page.

    Attributes:
        is_unreconciled: whether this Trust was restored, and refuses everything until its ledger is reconciled.
    """

    waiting: Sequence[Project]
    changed: Sequence[Project]
    ending: Sequence[Project]
    opted_in: int
    agent: Agent
    disk: Disk
    running: Sequence[TaskRow]
    refused_things: int
    is_unreconciled: bool
    spent: float
    cap: float


def overview(desk: Desk) -> Overview:
    """Everything of the first page, out of this Trust's own files."""
    now = desk.clock()
    found = projects.every(desk.database, now)
    disk = shutil.disk_usage(desk.config.home)
    return Overview(
        waiting=[one for one in found if one.waits],
        changed=[one for one in found if one.changed_since],
        ending=[one for one in found if one.ends_soon],
        opted_in=sum(one.state == "opted_in" for one in found),
        agent=agent_of(desk.config.home, now),
        disk=Disk(disk.total, disk.free),
        running=tasks_view.running(desk.database),
        refused_things=quarantine_view.total(desk.config.home),
        is_unreconciled=is_unreconciled(desk.database),
        spent=store.spent(desk.database, desk.config.total.delta),
        cap=desk.config.total.epsilon,
    )


def agent_of(home: Path, now: datetime) -> Agent:
    """How the agent is, as far as its last sign of life tells."""
    last = pulse.read(home)
    if last is None:
        return Agent(runs=False)
    return Agent(last.lives(now), last.reached_at, last.asked_at, last.trouble)
