"""Who may see which dashboard, and where it is kept."""

from __future__ import annotations

from pathlib import Path

from flip_sdk.contract.states import OutputState

from flip_hub.config import HubConfig
from flip_hub.database import Dashboard, Database
from flip_hub.errors import MissingError
from flip_hub.governance.workspaces import may_view_dashboard

NOTEBOOK = "notebook.ipynb"
_CLOSED = (OutputState.WITHHELD, OutputState.REVOKED)


def folder(config: HubConfig, project: str, name: str) -> Path:
    """Where a dashboard is kept: its notebook and ``jobs/<job id>.json``."""
    return config.dashboards / project / name


def check_may_view(config: HubConfig, person: str, project: str, name: str) -> None:
    """Let a member of the project see its dashboard.

    Raises:
        NotAllowedError: not a member, or not at this moment.
        MissingError: the project has no such dashboard, or it was withheld or revoked.
    """
    may_view_dashboard(config, person, project)
    database = Database.of(config)
    try:
        with database.read() as session:
            row = session.get(Dashboard, (project, name))
    finally:
        database.close()
    if row is None or row.state in _CLOSED or not (folder(config, project, name) / NOTEBOOK).is_file():
        raise MissingError(f"The project {project} has no open dashboard “{name}”.", "Look at the project's page.")
