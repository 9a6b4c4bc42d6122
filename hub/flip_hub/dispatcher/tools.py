"""What the dispatcher works with, put together once at its start."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from flip_sdk.contract.signatures import PublicKey, SigningKey

from flip_hub.database import Database, now
from flip_hub.dispatcher.watch import Limits
from flip_hub.flower.grid import Carrier
from flip_hub.models import BlobStore


def new_task_id() -> str:
    """An identifier that was never used before."""
    return f"task-{secrets.token_urlsafe(16)}"


@dataclass(frozen=True)
class Tools:
    """Everything a job's runner reaches the world with.

    Attributes:
        key: the dispatcher's own, which signs tasks.
        governance: the key that jobs are signed off with.
        clock: what the time is.
    """

    database: Database
    blobs: BlobStore
    carrier: Carrier
    key: SigningKey
    governance: PublicKey
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], datetime] = now
    new_task_id: Callable[[], str] = new_task_id
