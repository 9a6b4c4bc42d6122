"""What workspaces run, in the audit log: an entry for each cell, about the cell, so that it is kept once."""

from __future__ import annotations

from flip_sdk.contract.cells import ExecutedCell, ExecutedCells
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import AuditRow, Entry, Routine, also
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

KIND = "cells/"
_AT_ONCE = 500


def record(office: Office, subject: Subject, project_id: str, told: ExecutedCells) -> None:
    """Write down what a workspace says that it ran. What was written down before is not written again.

    Raises:
        DeniedError: it is not the project's own workspace that says so.
    """
    place = f"{KIND}{project_id}/{subject.name}"
    with office.database.write(Routine("each cell is an entry of its own")) as session:
        permit(office, session, subject, "record_cells", project_id)
        known = _known(session, [f"{place}/{cell.run}" for cell in told.cells])
        for cell in told.cells:
            name = f"{place}/{cell.run}"
            if name not in known:
                known.add(name)
                also(session, Entry(subject.name, "cell.executed", name, _details(project_id, cell)))
        if told.lost:
            details = {"project": project_id, "cells": told.lost}
            also(session, Entry(subject.name, "cell.not_recorded", place, details))


def _known(session: Session, names: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(names), _AT_ONCE):
        chosen = select(AuditRow.subject).where(AuditRow.subject.in_(names[start : start + _AT_ONCE]))
        found.update(session.scalars(chosen))
    return found


def _details(project_id: str, cell: ExecutedCell) -> dict[str, object]:
    return {
        "project": project_id,
        "ran_at": cell.at.isoformat(),
        "kernel": cell.kernel,
        "digest": cell.code_digest,
        "characters": cell.characters,
        "code": cell.code,
    }
