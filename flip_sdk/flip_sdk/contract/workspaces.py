"""Workspaces as they cross the wire: what a project may use, what it used, and what its people are told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flip_sdk.contract.records import Finite, Instant, Line, Name, Record, Text

Hours = Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]


class ProfileView(Record):
    """What a workspace may use.

    Attributes:
        words: its limits, as a person reads them.
        gpu_hours: what an hour of it counts against the quota.
        default: whether it is taken without a choice.
    """

    name: Name
    title: Line
    words: Line
    cpu: Finite
    memory_gb: Finite
    gpus: int
    gpu_hours: Finite
    default: bool


class ResourcesView(Record):
    """What a project may use, and what it used.

    Attributes:
        gpu_hours_quota: for all of its people together; None where there is none.
        set_by: who gave it what not every project has; empty where nobody did.
    """

    project_id: Name
    profiles: tuple[ProfileView, ...]
    gpu_hours_quota: Finite | None
    gpu_hours_used: Finite
    cpu_hours_used: Finite
    set_by: Line = ""
    set_at: Instant | None = None


class NewResources(Record):
    """What governance gives a project.

    Attributes:
        profiles: names, besides those that every project has.
        gpu_hours: the quota; None for none.
    """

    profiles: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    gpu_hours: Hours | None = None


class WorkspaceNotice(Record):
    """What a project's people are told of their workspaces.

    Attributes:
        kind: ``expiry`` (the project ends), ``quota`` (its GPU-hours are nearly or all used up), or ``longest`` (the
            person's own workspace has nearly run for as long as any may).
        stops_at: when a running workspace is stopped for it, where that is known.
    """

    kind: Literal["expiry", "quota", "longest"]
    message: Text
    stops_at: Instant | None = None


class UsageLine(Record):
    """What one person used in one project in one month (UTC).

    Attributes:
        month: such as ``2026-11``.
        hours: for how long workspaces ran.
        starts: how many were started.
    """

    month: Line
    project_id: Name
    person: Line
    starts: int
    hours: Finite
    cpu_hours: Finite
    gpu_hours: Finite
