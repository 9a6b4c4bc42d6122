"""The gate of JupyterHub: may this person open this project's workspace now?"""

from __future__ import annotations

from flip_sdk.contract.states import ProjectState
from flip_sdk.errors import NotAllowedError
from sqlalchemy import select

from flip_hub.config import HubConfig
from flip_hub.database import Database, Entry, Project, now
from flip_hub.errors import DeniedError, MissingError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office, identify


def may_open(config: HubConfig, person: str, project: str) -> None:
    """Raise where a person may not open a project's workspace at this moment.

    Raises:
        NotAllowedError: with the reason, to be shown to them.
    """
    _check(config, person, project, "open_workspace")


def to_close(database: Database) -> list[tuple[str, tuple[str, ...]]]:
    """Projects whose workspaces have to be stopped and were not told to yet, each with its people."""
    states = [str(state) for state in (ProjectState.SUSPENDED, ProjectState.EXPIRED, ProjectState.CLOSED)]
    chosen = select(Project).where(Project.state.in_(states), Project.workspaces_closed_at.is_(None))
    with database.read() as session:
        return [(project.project_id, project.members) for project in session.scalars(chosen)]


def closed(database: Database, project_id: str) -> None:
    """Write down that a project's workspaces were stopped."""
    with database.write(Entry("governance", "project.workspaces_closed", f"project/{project_id}")) as session:
        session.get_one(Project, project_id).workspaces_closed_at = now()


def _check(config: HubConfig, person: str, project: str, action: str) -> None:
    office = Office.of(config)
    try:
        with office.database.read() as session:
            permit(office, session, identify(session, person), action, project)
    except MissingError as error:
        refused = DeniedError(error.message, error.mend, "projects.view_own")
        _record(office, person, project, action, refused)
        raise refused from error
    except NotAllowedError as error:
        _record(office, person, project, action, error)
        raise


def _record(office: Office, person: str, project: str, action: str, error: NotAllowedError) -> None:
    details = {"action": action, "reason": error.message, "policy": getattr(error, "policy", "")}
    with office.database.write(Entry(person, "access.denied", f"project/{project}", details)):
        pass
