"""Which part of a project's persons a person is in: the same for every job of the project, without a list to keep."""

from __future__ import annotations

import hashlib
from typing import Literal

from flip_sdk.contract.jobs import Part
from flip_sdk.mechanisms.floors import TRAIN_SHARE, is_in


def share_of(project_id: str, person_id: int) -> float:
    """Where between 0 and 1 a person stands in a project, from SHA-256 of both."""
    content = hashlib.sha256(f"{project_id}:{person_id}".encode()).digest()
    return int.from_bytes(content[:8], "big") / 2**64


def part_of(project_id: str, person_id: int) -> Literal["train", "test"]:
    """The person's part: about 70 % of persons are in ``train``."""
    return "train" if share_of(project_id, person_id) < TRAIN_SHARE else "test"


def belongs(part: Part, project_id: str, person_id: int) -> bool:
    """Whether a person is in a part. ``fit`` and ``validation`` divide ``train``: nobody moves there from ``test``."""
    return part == "all" or is_in(part, share_of(project_id, person_id))
