"""What every address of one workspace shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flip_lab.feed import Feed
from flip_lab.hub import Hub


@dataclass(frozen=True)
class Lab:
    """One workspace.

    Attributes:
        hub: asks the hub.
        feed: what open pages are told.
        root: the folder that the file browser shows.
    """

    hub: Hub
    feed: Feed
    root: Path
