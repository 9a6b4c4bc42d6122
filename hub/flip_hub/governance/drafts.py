"""Drafts as they are typed: every field is kept at once, valid or not, beside the best application they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flip_sdk.contract.filling import Filled, Value, raw_of, read
from flip_sdk.contract.form import FIELDS
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from flip_hub.database import DraftField, Entry, Project, Routine, also, now
from flip_hub.errors import InvalidError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

MOST_BYTES = 200_000
"""Of one field, typed: more than every limit of the form together."""
_TELLING = frozenset({"team", "organisation"})
"""Fields that policies read: who may see the draft, and who may decide."""
_TYPING = Routine("a draft is its author's own; what is submitted is audited whole")


@dataclass(frozen=True)
class Kept:
    """A field as it is kept.

    Attributes:
        taken: whether the value that was sent is the one that is kept; not, where another tab wrote in between.
        rival: what another tab typed in the meantime: ``value``, ``by`` and ``at``.
    """

    value: Value
    revision: int
    at: datetime | None
    taken: bool = True
    rival: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Draft:
    """Everything that was typed, field by field, and what it comes to."""

    fields: Mapping[str, Kept]
    filled: Filled


def draft_of(session: Session, project: Project) -> Draft:
    """A project's draft: what was typed, over what its application said before."""
    rows = session.scalars(select(DraftField).where(DraftField.project_id == project.project_id))
    typed = {row.field: Kept(row.value, row.revision, row.at, rival=row.rival) for row in rows if row.field in FIELDS}
    fields = {name: typed.get(name) or Kept(value, 0, None) for name, value in raw_of(project.application).items()}
    return Draft(fields, read({name: kept.value for name, kept in fields.items()}, project.application))


def save_field(
    office: Office, subject: Subject, project_id: str, name: str, value: Value, *, seen: int, insists: bool = False
) -> tuple[Kept, Draft]:
    """Keep what was typed into one field.

    Args:
        office: governance.
        subject: who types.
        project_id: whose draft it is.
        name: the field.
        value: as it was typed.
        seen: the revision that the page shows; when another tab has written since, its text stays, and this one is
            kept beside it.
        insists: the person has seen the other text, and wants this one.

    Raises:
        DeniedError: only the owner edits.
        NotNowError: the application is not being edited.
        InvalidError: there is no such field, or it is far too long.
    """
    with office.database.write(_TYPING) as session:
        project = permit(office, session, subject, "edit_project", project_id)
        kept = _keep(session, project, subject, name, value, None if insists else seen)
        return kept, _settle(session, project, subject)


def save_all(
    office: Office, subject: Subject, project_id: str, values: Mapping[str, Value], seen: Mapping[str, int]
) -> tuple[tuple[str, ...], Draft]:
    """Keep a whole form at once, as its button does.

    Returns:
        The fields that another tab had changed in the meantime, and the draft.

    Raises:
        DeniedError: only the owner edits.
        NotNowError: the application is not being edited.
    """
    with office.database.write(_TYPING) as session:
        project = permit(office, session, subject, "edit_project", project_id)
        kept = {name: _keep(session, project, subject, name, value, seen.get(name)) for name, value in values.items()}
        return tuple(name for name, one in kept.items() if not one.taken), _settle(session, project, subject)


def forget_rival(office: Office, subject: Subject, project_id: str, name: str, *, use: bool) -> None:
    """Decide between two texts of a field: use the one kept aside, or let it go.

    Raises:
        DeniedError: only the owner edits.
        NotNowError: the application is not being edited.
    """
    with office.database.write(_TYPING) as session:
        project = permit(office, session, subject, "edit_project", project_id)
        row = session.get(DraftField, (project_id, name))
        if row is None or row.rival is None:
            return
        if use:
            row.value, row.revision = row.rival["value"], row.revision + 1
        row.rival = None
        _settle(session, project, subject)


def drop(session: Session, project_id: str) -> None:
    """Forget what was typed: the application itself is what counts now."""
    session.execute(delete(DraftField).where(DraftField.project_id == project_id))


def _keep(session: Session, project: Project, subject: Subject, name: str, value: Value, seen: int | None) -> Kept:
    if name not in FIELDS:
        raise InvalidError(f"The application has no field {name}.", "Load the page again.")
    if len(repr(value)) > MOST_BYTES:
        raise InvalidError(f"{FIELDS[name].label}: this is far too long.", "Write less.")
    row = session.get(DraftField, (project.project_id, name))
    before = row.value if row else raw_of(project.application)[name]
    if value == before:
        return Kept(value, row.revision if row else 0, row.at if row else None, rival=row.rival if row else None)
    if row is None:
        row = DraftField(project_id=project.project_id, field=name, revision=0)
        session.add(row)
    elif seen is not None and seen < row.revision:
        row.rival = {"value": value, "by": subject.name, "at": now().isoformat()}
        return Kept(row.value, row.revision, row.at, taken=False, rival=row.rival)
    row.value, row.by, row.at, row.revision, row.rival = value, subject.name, now(), row.revision + 1, None
    return Kept(value, row.revision, row.at)


def _settle(session: Session, project: Project, subject: Subject) -> Draft:
    """Make the application of what was typed; what policies read of it is audited when it changes."""
    session.flush()
    draft = draft_of(session, project)
    application = draft.filled.application
    changed = sorted(n for n in _TELLING if getattr(application, n) != getattr(project.application, n))
    project.application = application
    project.expires_at = application.ends_at
    if changed:
        details = {"fields": changed, "application": application.digest()}
        also(session, Entry(subject.name, "project.edited", f"project/{project.project_id}", details))
    return draft
