"""Who may install packages, and who did: in the audit log, by project."""

from __future__ import annotations

from flip_sdk.errors import NotAllowedError

from flip_hub.database import Entry
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject


def check(office: Office, subject: Subject, project_id: str) -> None:
    """Raise where this person, here, may not install packages.

    Raises:
        DeniedError: it is not the project's own workspace that asks.
        NotNowError: the project is not approved, or has expired.
    """
    with office.database.read() as session:
        permit(office, session, subject, "install_packages", project_id)


def handed_over(office: Office, subject: Subject, project_id: str, wheel: str, digest: str) -> None:
    """Write down that a workspace was given a wheel."""
    details = {"file": wheel, "digest": digest}
    with office.database.write(Entry(subject.name, "package.installed", f"project/{project_id}", details)):
        pass


def refused(office: Office, subject: Subject, project_id: str, name: str, error: NotAllowedError) -> None:
    """Write down that somebody wanted what was not approved: what a hub may want to look at."""
    details = {"package": name, "reason": error.message}
    with office.database.write(Entry(subject.name, "package.refused", f"project/{project_id}", details)):
        pass
