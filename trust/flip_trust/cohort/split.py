"""Which part of a project's persons a person is in: the same for every job of the project, without a list to keep."""

from __future__ import annotations

import hashlib
from typing import Literal

from flip_sdk.mechanisms.floors import TRAIN_SHARE


def part_of(project_id: str, person_id: int) -> Literal["train", "test"]:
    """The person's part, from SHA-256 of project and person: about 70 % of persons are in ``train``."""
    content = hashlib.sha256(f"{project_id}:{person_id}".encode()).digest()
    return "train" if int.from_bytes(content[:8], "big") / 2**64 < TRAIN_SHARE else "test"
