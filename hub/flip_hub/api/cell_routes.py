"""The JSON API: what workspaces run, told by their servers."""

from __future__ import annotations

from fastapi import APIRouter
from flip_sdk.contract.cells import ExecutedCells
from flip_sdk.contract.records import Name

from flip_hub.api.sessions import Asking, At
from flip_hub.governance import cells

router = APIRouter()


@router.post("/projects/{project_id}/cells", status_code=204)
def record_cells(subject: Asking, office: At, project_id: Name, body: ExecutedCells) -> None:
    """Write down cells that were run (the project's own workspaces)."""
    cells.record(office, subject, project_id, body)
