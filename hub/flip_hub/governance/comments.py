"""Comments on a submitted application, field by field: threads that are open until somebody resolves them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from flip_sdk.contract.applications import CommentView, NewComment
from flip_sdk.contract.form import FIELDS
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Comment, Entry, Project, now
from flip_hub.errors import ConflictError, InvalidError, MissingError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject


@dataclass(frozen=True)
class Thread:
    """A comment and its answers."""

    first: CommentView
    answers: tuple[CommentView, ...]

    @property
    def open(self) -> bool:
        """Whether nobody has resolved it."""
        return not self.first.resolved_by


def comment(office: Office, subject: Subject, project_id: str, wanted: NewComment) -> CommentView:
    """Comment on a field, or answer a comment.

    Raises:
        DeniedError: neither on the team nor a governance reviewer.
        NotNowError: the application was never submitted.
        InvalidError: there is no such field.
        MissingError: there is no such comment to answer.
        ConflictError: its thread is resolved.
    """
    entry = Entry(subject.name, "project.commented", f"project/{project_id}", {"field": wanted.field})
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "comment_project", project_id)
        field = wanted.field
        if wanted.answers is not None:
            first = _first(session, project, wanted.answers)
            if first.resolved_by:
                raise ConflictError("This thread is resolved.", "Open it again, or begin a new one.")
            field = first.field
        if field not in FIELDS:
            raise InvalidError(f"The application has no field {field}.", "Comment on one of its fields.")
        row = Comment(
            project_id=project_id,
            version=project.version,
            field=field,
            author=subject.name,
            text=wanted.text,
            at=now(),
            answers=wanted.answers,
        )
        session.add(row)
        session.flush()
        entry.details.update(comment=row.comment_id, version=project.version, field=field, text=wanted.text)
        return view(row)


def resolve(office: Office, subject: Subject, project_id: str, comment_id: int, *, resolved: bool) -> CommentView:
    """Close a thread, or open it again.

    Raises:
        DeniedError: neither on the team nor a governance reviewer.
        MissingError: there is no such comment.
    """
    event = "project.comment_resolved" if resolved else "project.comment_reopened"
    entry = Entry(subject.name, event, f"project/{project_id}", {"comment": comment_id})
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "comment_project", project_id)
        row = _first(session, project, comment_id)
        row.resolved_by, row.resolved_at = (subject.name, now()) if resolved else ("", None)
        return view(row)


def threads_of(session: Session, project: Project) -> dict[str, list[Thread]]:
    """Every thread by field, oldest first; a new version keeps those of the earlier ones."""
    chosen = select(Comment).where(Comment.project_id == project.project_id).order_by(Comment.comment_id)
    rows = list(session.scalars(chosen))
    answers: dict[int, list[CommentView]] = defaultdict(list)
    for row in rows:
        if row.answers is not None:
            answers[row.answers].append(view(row))
    threads: dict[str, list[Thread]] = defaultdict(list)
    for row in rows:
        if row.answers is None:
            threads[row.field].append(Thread(view(row), tuple(answers[row.comment_id])))
    return threads


def view(row: Comment) -> CommentView:
    """A comment as others see it."""
    return CommentView(
        comment_id=row.comment_id,
        field=row.field,
        version=row.version,
        author=row.author,
        text=row.text,
        at=row.at,
        answers=row.answers,
        resolved_by=row.resolved_by,
    )


def _first(session: Session, project: Project, comment_id: int) -> Comment:
    row = session.get(Comment, comment_id)
    if row is None or row.project_id != project.project_id or row.answers is not None:
        raise MissingError("There is no such thread of comments.", "Load the page again.")
    return row
