"""Off-boarding: one person's access ends everywhere at once; their work stays with the project's team."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import func, select

from flip_hub.config import HubConfig
from flip_hub.database import Database, Entry, Person, Project, ProjectMember, SignIn
from flip_hub.errors import MissingError, UnavailableError
from flip_hub.governance import sign_ins


class Accounts(Protocol):
    """JupyterHub, as far as it knows people."""

    def servers(self, person: str) -> list[str] | None:
        """The projects whose workspaces of theirs run; None where there is no such account."""
        ...

    def stop(self, person: str, project: str) -> None:
        """Stop one, and wait until it has."""
        ...

    def remove(self, person: str) -> None:
        """Remove the account, with every token of it."""
        ...


@dataclass(frozen=True)
class Left:
    """What was done.

    Attributes:
        sessions: how many were ended.
        stopped: projects whose workspaces of theirs were stopped.
        removed: whether JupyterHub had an account, which is gone.
        owned: projects that they own, which somebody else has to see to.
        teams: other projects whose applications name them.
        homes: folders of their work, which were kept.
        missing: what could not be done, in words; empty where everything was.
    """

    sessions: int
    stopped: tuple[str, ...]
    removed: bool
    owned: tuple[str, ...]
    teams: tuple[str, ...]
    homes: tuple[Path, ...]
    missing: str = ""


def leave(config: HubConfig, database: Database, accounts: Accounts, name: str, *, by: str) -> Left:
    """End somebody's access: first what governance decides by, so that nothing new begins, then what runs.

    Run again, it does what is left.

    Args:
        config: the hub's.
        database: the hub's.
        accounts: JupyterHub.
        name: who leaves.
        by: who does it, for the audit log.

    Raises:
        MissingError: nobody of this name is registered.
    """
    sessions = _close(database, name, by)
    owned, teams = _projects(database, name)
    stopped: list[str] = []
    removed, missing = False, ""
    try:
        running = accounts.servers(name)
        for project in running or ():
            accounts.stop(name, project)
            stopped.append(project)
        if running is not None:
            accounts.remove(name)
            removed = True
    except UnavailableError as error:
        missing = f"{error.message} {error.mend}"
    homes = tuple(sorted(path for path in config.workspaces.glob(f"*/{name}") if path.is_dir()))
    done = Left(sessions, tuple(stopped), removed, owned, teams, homes, missing)
    details = {"sessions": sessions, "workspaces": stopped, "account": removed, "homes": [str(path) for path in homes]}
    if missing:
        details["missing"] = missing
    with database.write(Entry(by, "person.left", f"person/{name}", details)):
        return done


def _close(database: Database, name: str, by: str) -> int:
    with database.write(Entry(by, "person.closed", f"person/{name}")) as session:
        person = session.get(Person, name)
        if person is None:
            raise MissingError(f"Nobody is registered as {name}.", "See: flip-hub people list")
        person.active = False
        of_them = SignIn.person == name, SignIn.ended_at.is_(None)
        sessions = session.scalar(select(func.count()).select_from(SignIn).where(*of_them)) or 0
        sign_ins.end_each(session, name, "operator")
    return sessions


def _projects(database: Database, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    with database.read() as session:
        owned = set(session.scalars(select(Project.project_id).where(Project.owner == name)))
        member = set(session.scalars(select(ProjectMember.project_id).where(ProjectMember.person == name)))
    return tuple(sorted(owned)), tuple(sorted(member - owned))
