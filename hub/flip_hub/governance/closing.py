"""Closing a project: each Trust is asked to purge, the hub purges what it kept, and a certificate says what and when.

What is to be deleted is written down first, then deleted, then certified: a crash in between loses nothing of it.
"""

from __future__ import annotations

import secrets

from flip_sdk.contract.closing import ClosingCertificate, PurgedItem, SignedCertificate, TrustPurge
from flip_sdk.contract.states import JOB
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Budget, Closing, Consent, Entry, Job, Project, Routine, Trust, TrustPurgeRow, now
from flip_hub.errors import MissingError
from flip_hub.governance import holdings
from flip_hub.governance.access import visible
from flip_hub.governance.office import Office
from flip_hub.keys import signing_key
from flip_hub.policy import Subject

_PLANNING = Routine("what is to be purged is written down before it is; the purge has its entry")
KEPT = (
    "The privacy ledgers of the Trusts and their mirrors",
    "The audit logs of the hub and of the Trusts",
    "The application with its decisions, comments and signatures",
    "What jobs asked, and what they cost",
    "Released outputs, with their provenance",
    "De-identified images and caches that a Trust keeps for all projects alike",
    "Backups, until newer ones take their place",
)


def begin(session: Session, project: Project, by: str, reason: str) -> None:
    """Ask every Trust that took part to purge, in the transaction in which the project is closed."""
    moment = now()
    session.add(
        Closing(project_id=project.project_id, closed_by=by, closed_at=moment, reason=reason, hub=[], purged_at=None)
    )
    for trust in _took_part(session, project.project_id):
        session.add(
            TrustPurgeRow(
                project_id=project.project_id,
                trust=trust,
                order_id=secrets.token_urlsafe(16),
                asked_at=moment,
                purged_at=None,
                items=[],
            )
        )


def purge_due(office: Office) -> list[str]:
    """Purge what the hub kept of projects that are closed, once nothing of them runs any more.

    Returns:
        The projects that were purged.
    """
    with office.database.read() as session:
        waiting = session.scalars(select(Closing).where(Closing.purged_at.is_(None)))
        due = [row.project_id for row in waiting if _is_still(session, row.project_id)]
    for project_id in due:
        _purge(office, project_id)
    return due


def certificate(office: Office, subject: Subject, project_id: str) -> SignedCertificate:
    """What was purged where and when, signed by the hub; Trusts that have not answered are named.

    Raises:
        MissingError: the project is not closed, or not one that this person may know of.
    """
    with office.database.read() as session:
        project = visible(office, session, subject, project_id)
        row = session.get(Closing, project_id)
        if row is None:
            raise MissingError(f"Project {project_id} is not closed.", "Its certificate is made when it is.")
        record = _certificate(session, project, row)
    return SignedCertificate(certificate=record, jws=signing_key(office.config, "governance").sign(record))


def deleted_at_hub(row: Closing) -> tuple[PurgedItem, ...]:
    """What the hub deleted; nothing before it did."""
    return tuple(PurgedItem.parse(item) for item in row.hub) if row.purged_at else ()


def deleted_at_trusts(session: Session, project_id: str) -> tuple[TrustPurge, ...]:
    """Each Trust that was asked to purge, with what it signed that it deleted."""
    chosen = select(TrustPurgeRow).where(TrustPurgeRow.project_id == project_id).order_by(TrustPurgeRow.trust)
    return tuple(_of_trust(session, one) for one in session.scalars(chosen))


def _purge(office: Office, project_id: str) -> None:
    with office.database.write(_PLANNING) as session:
        row = session.get_one(Closing, project_id)
        if not row.hub:
            items = holdings.items(office, session, project_id)
            row.hub = [item.model_dump(mode="json") for item in items]
        files = holdings.files(office, session, project_id)
    holdings.delete_files(office, files)
    entry = Entry("governance", "project.purged", f"project/{project_id}")
    with office.database.write(entry) as session:
        row = session.get_one(Closing, project_id)
        holdings.forget(session, project_id)
        row.purged_at = now()
        entry.details.update(items=row.hub)


def _is_still(session: Session, project_id: str) -> bool:
    ends = [str(state) for state in JOB.ends()]
    running = select(Job.job_id).where(Job.project_id == project_id, Job.state.not_in(ends)).limit(1)
    project = session.get_one(Project, project_id)
    return project.workspaces_closed_at is not None and session.scalars(running).first() is None


def _took_part(session: Session, project_id: str) -> list[str]:
    """Trusts that may keep something: those that ever opted in, or debited something for it."""
    found = set(session.scalars(select(Consent.trust).where(Consent.project_id == project_id)))
    return sorted(found | set(session.scalars(select(Budget.trust).where(Budget.project_id == project_id))))


def _certificate(session: Session, project: Project, row: Closing) -> ClosingCertificate:
    trusts = deleted_at_trusts(session, project.project_id)
    moments = [row.closed_at, row.purged_at, *(one.purged_at for one in trusts)]
    return ClosingCertificate(
        project_id=project.project_id,
        title=project.application.title,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
        reason=row.reason,
        hub_purged_at=row.purged_at,
        hub=deleted_at_hub(row),
        trusts=trusts,
        kept=KEPT,
        issued_at=max(moment for moment in moments if moment is not None),
    )


def _of_trust(session: Session, row: TrustPurgeRow) -> TrustPurge:
    return TrustPurge(
        trust=row.trust,
        title=session.get_one(Trust, row.trust).title,
        asked_at=row.asked_at,
        purged_at=row.purged_at,
        items=tuple(PurgedItem.parse(item) for item in row.items),
        statement=row.statement,
    )
