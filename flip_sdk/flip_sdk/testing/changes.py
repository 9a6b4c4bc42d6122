"""Which parts of a played project are not as they were, as the hub tells it: a mark for each part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from flip_sdk.contract.api import ProjectChanges, ProjectPart, TrustBudget
from flip_sdk.contract.records import Record, digest

Shown = Record | Sequence[Record]


def changes(after: str, **parts: Shown) -> ProjectChanges:
    """Which of these parts are not as they were at a mark."""
    names: tuple[ProjectPart, ...] = get_args(ProjectPart)
    present, before = [_mark(parts[name]) for name in names], after.split("-")
    known = len(before) == len(present)
    changed = tuple(name for place, name in enumerate(names) if not known or before[place] != present[place])
    return ProjectChanges(mark="-".join(present), changed=changed)


def _mark(shown: Shown) -> str:
    records = [shown] if isinstance(shown, Record) else shown
    content = b"".join(_lasting(record).model_dump_json().encode() for record in records)
    return digest(content).removeprefix("sha256:")[:12]


def _lasting(record: Record) -> Record:
    """Without the moment at which a Trust was seen: it is another one at each look."""
    return record.model_copy(update={"seen_at": None}) if isinstance(record, TrustBudget) else record
