"""Who is on which project's team, and the words that a project is found by: kept with every write of a project.

Both are in the application; a database that has to read ten thousand applications to find a page of them is too slow.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, ForeignKey, Index, delete, event, insert
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from flip_hub.database.base import LINE, NAME, Base
from flip_hub.database.people import Project


class ProjectMember(Base):
    """One member of a project, its owner included. A draft may name people whom the hub does not know."""

    __tablename__ = "project_member"
    __table_args__ = (Index(None, "person", "project_id"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    person: Mapped[str] = mapped_column(LINE, primary_key=True)


class ProjectWords(Base):
    """What a project is found by, folded: its title, its id, its owner and the organisation that applies."""

    __tablename__ = "project_words"

    project_id: Mapped[str] = mapped_column(NAME, ForeignKey("project.project_id"), primary_key=True)
    words: Mapped[str]


def words_of(project: Project) -> str:
    """What a project is found by."""
    found = (project.application.title, project.project_id, project.owner, project.application.organisation)
    return "\n".join(found).casefold()


@event.listens_for(Project, "after_insert")
@event.listens_for(Project, "after_update")
def _keep(_mapper: Mapper[Any], connection: Connection, project: Project) -> None:
    mine = {"project_id": project.project_id}
    for table in (ProjectMember, ProjectWords):
        connection.execute(delete(table).where(table.project_id == project.project_id))
    connection.execute(insert(ProjectMember), [mine | {"person": name} for name in dict.fromkeys(project.members)])
    connection.execute(insert(ProjectWords), [mine | {"words": words_of(project)}])
