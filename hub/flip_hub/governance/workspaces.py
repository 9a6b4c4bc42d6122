"""The gates of JupyterHub and Voila: may this person open this project's workspace, or see its dashboards, now?"""

from __future__ import annotations

from flip_sdk.errors import NotAllowedError

from flip_hub.config import HubConfig
from flip_hub.database import Entry
from flip_hub.errors import DeniedError, MissingError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office, identify


def may_open(config: HubConfig, person: str, project: str) -> None:
    """Raise where a person may not open a project's workspace at this moment.

    Raises:
        NotAllowedError: with the reason, to be shown to them.
    """
    _check(config, person, project, "open_workspace")


def may_view_dashboard(config: HubConfig, person: str, project: str) -> None:
    """Raise where a person may not see a project's dashboards at this moment.

    Raises:
        NotAllowedError: with the reason, to be shown to them.
    """
    _check(config, person, project, "view_dashboard")


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
