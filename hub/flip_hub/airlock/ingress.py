"""Bringing files into a project's workspaces: their kind is checked, they are scanned, and one person lets them in."""

from __future__ import annotations

import secrets

from flip_sdk.contract.ingress import DecideIngress, IngressView, NewIngress
from flip_sdk.contract.states import INGRESS, IngressState
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flip_hub.airlock.access import item_of, load_ingress
from flip_hub.airlock.incoming import place
from flip_hub.airlock.kinds import kind_of
from flip_hub.airlock.queue import ingress_queue
from flip_hub.airlock.scanning import check_scanner, scan
from flip_hub.database import BlobUse, Entry, Ingress, Project, now
from flip_hub.errors import BlobCorruptError, ConflictError, InvalidError, MissingError, TooLargeError, UnavailableError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.models import allow_blob
from flip_hub.policy import Subject


def upload_limit(office: Office, subject: Subject, project_id: str) -> int:
    """How many bytes a file may have that this person brings in.

    Raises:
        DeniedError: not on the project's team.
        NotNowError: the project is not approved, or has expired.
        UnavailableError: production without a malware scanner.
    """
    with office.database.read() as session:
        permit(office, session, subject, "request_ingress", project_id)
    check_scanner(office.config)
    return office.config.max_output_bytes


def keep_upload(office: Office, subject: Subject, project_id: str, digest: str, size: int) -> None:
    """Note that a file was uploaded to be brought in: no workspace reads it yet."""
    details = {"digest": digest, "bytes": size}
    with office.database.write(Entry(subject.name, "blob.uploaded", f"project/{project_id}", details)) as session:
        permit(office, session, subject, "request_ingress", project_id)
        inside = bool(subject.workspace)
        allow_blob(session, project_id, digest, size, subject.name, inside=inside, outside=not inside)


def request(office: Office, subject: Subject, project_id: str, wanted: NewIngress) -> IngressView:
    """Ask for a file to be brought in. What may not come in is refused here, and waits for nobody.

    Raises:
        DeniedError: not on the project's team.
        NotNowError: the project is not approved, or has expired.
        MissingError: the file was not uploaded.
        TooLargeError: it is too large.
        InvalidError: its kind does not come in, or the scanner found something.
        UnavailableError: the scanner does not work, or production has none.
        ConflictError: the idempotency key was used for another file.
    """
    with office.database.read() as session:
        permit(office, session, subject, "request_ingress", project_id)
        known = _known(session, subject, project_id, wanted)
        if known is not None:
            return view(known)
        content = _content(office, session, project_id, wanted)
    try:
        kind = kind_of(wanted.path, content)
        scanned_by = scan(office.config, wanted.path, content)
    except InvalidError as error:
        _record_refusal(office, subject, project_id, wanted, error)
        raise
    row = _row(subject, project_id, wanted, len(content))
    row.kind, row.scanned_by = kind, scanned_by
    row.state = INGRESS.step(IngressState.REQUESTED, IngressState.CHECKED).target
    entry = Entry(subject.name, "ingress.requested", f"project/{project_id}", _details(row))
    try:
        with office.database.write(entry) as session:
            permit(office, session, subject, "request_ingress", project_id)
            session.add(row)
            session.flush()
            return view(row)
    except IntegrityError:
        with office.database.read() as session:
            known = _known(session, subject, project_id, wanted)
            if known is None:
                raise
            return view(known)


def decide(office: Office, subject: Subject, ingress_id: str, decision: DecideIngress) -> IngressView:
    """Let a file in, or not. It then lies in ``incoming`` of the project's workspaces.

    Raises:
        MissingError: no such file.
        DeniedError: neither an output checker nor a data steward, or one with a conflict of interest.
        ConflictError: it is decided already, or another file has its name.
        InvalidError: a refusal without a reason.
        UnavailableError: what is kept of it is damaged.
    """
    target = IngressState.ADMITTED if decision.decision == "admit" else IngressState.REFUSED
    if target is IngressState.REFUSED and not decision.reason.strip():
        raise InvalidError("A refusal needs a reason.", "Say what has to change.")
    entry = Entry(subject.name, f"ingress.{target}", f"ingress/{ingress_id}", {"reason": decision.reason})
    with office.database.write(entry) as session:
        row = load_ingress(office, session, subject, "review_ingress", ingress_id)
        if not INGRESS.allows(row.state, target):
            raise ConflictError(f"{row.path} is {row.state} already.", "Load the page again.")
        row.state = INGRESS.step(row.state, target).target
        row.reason, row.decided_by, row.decided_at = decision.reason.strip(), subject.name, now()
        entry.details.update(_details(row))
        session.flush()
        if target is IngressState.ADMITTED:
            _admit(office, session, row)
        return view(row)


def withdraw(office: Office, subject: Subject, ingress_id: str) -> IngressView:
    """Take back a file that nobody decided on yet.

    Raises:
        MissingError: no such file.
        DeniedError: somebody else's.
        ConflictError: it is decided already.
    """
    entry = Entry(subject.name, "ingress.withdrawn", f"ingress/{ingress_id}")
    with office.database.write(entry) as session:
        row = load_ingress(office, session, subject, "withdraw_ingress", ingress_id)
        if not INGRESS.allows(row.state, IngressState.WITHDRAWN):
            raise ConflictError(f"{row.path} is {row.state} already.", "Nothing waits any more.")
        row.state = INGRESS.step(row.state, IngressState.WITHDRAWN).target
        session.flush()
        return view(row)


def ingress_of(office: Office, subject: Subject, project_id: str) -> list[IngressView]:
    """A project's files on their way in, newest first, for its own team."""
    with office.database.read() as session:
        permit(office, session, subject, "view_project", project_id)
        chosen = select(Ingress).where(Ingress.project_id == project_id).order_by(Ingress.requested_at.desc())
        return [view(row) for row in session.scalars(chosen) if _may_view(office, session, subject, row)]


def waiting(office: Office, subject: Subject) -> list[IngressView]:
    """Files on their way in that this person may decide on, oldest first."""
    with office.database.read() as session:
        return [view(row) for row in ingress_queue(office, session, subject)]


def show_to_decide(office: Office, subject: Subject, ingress_id: str) -> tuple[IngressView, bytes]:
    """A file on its way in, for whoever decides on it: what is said of it, and its bytes."""
    with office.database.read() as session:
        row = load_ingress(office, session, subject, "review_ingress", ingress_id)
    return view(row), _bytes(office, row)


def content_of(office: Office, subject: Subject, ingress_id: str) -> tuple[str, bytes]:
    """A file on its way in, for whoever decides on it.

    Returns:
        Its path and its bytes.
    """
    with office.database.read() as session:
        row = load_ingress(office, session, subject, "review_ingress", ingress_id)
    return row.path, _bytes(office, row)


def view(row: Ingress) -> IngressView:
    """A file on its way in."""
    return IngressView(
        ingress_id=row.ingress_id,
        project_id=row.project_id,
        path=row.path,
        content=row.content,
        bytes=row.size,
        purpose=row.purpose,
        source=row.source,
        holds_people=row.holds_people,
        state=IngressState(row.state),
        kind=row.kind,
        scanned_by=row.scanned_by,
        reason=row.reason,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        decided_by=row.decided_by or "",
        decided_at=row.decided_at,
    )


def _may_view(office: Office, session: Session, subject: Subject, row: Ingress) -> bool:
    target = item_of(session, session.get_one(Project, row.project_id), row.ingress_id, row.requested_by)
    return office.policies.decide(subject, "view_ingress", target).allowed


def _content(office: Office, session: Session, project_id: str, wanted: NewIngress) -> bytes:
    use = session.get(BlobUse, (project_id, wanted.content))
    if use is None or not office.blobs.has(wanted.content):
        raise MissingError("The project has no file with this digest.", "Upload it first, in this project.")
    if use.size > office.config.max_output_bytes:
        raise TooLargeError(f"At most {office.config.max_output_bytes:,} bytes are brought in.", "Bring a part of it.")
    return office.blobs.get(wanted.content)


def _bytes(office: Office, row: Ingress) -> bytes:
    try:
        return office.blobs.get(row.content)
    except (BlobCorruptError, MissingError) as error:
        raise UnavailableError("What is kept of this file is damaged.", "Its author brings it again.") from error


def _admit(office: Office, session: Session, row: Ingress) -> None:
    place(office.config, row.project_id, row.path, _bytes(office, row))
    allow_blob(session, row.project_id, row.content, row.size, row.requested_by, inside=True, outside=False)


def _record_refusal(office: Office, subject: Subject, project_id: str, wanted: NewIngress, error: InvalidError) -> None:
    details = {"path": wanted.path, "content": wanted.content, "reason": error.message}
    with office.database.write(Entry(subject.name, "ingress.refused", f"project/{project_id}", details)):
        pass


def _row(subject: Subject, project_id: str, wanted: NewIngress, size: int) -> Ingress:
    return Ingress(
        ingress_id=secrets.token_hex(12),
        project_id=project_id,
        path=wanted.path,
        content=wanted.content,
        size=size,
        purpose=wanted.purpose,
        source=wanted.source,
        holds_people=wanted.holds_people,
        reason="",
        requested_by=subject.name,
        requested_at=now(),
        idempotency_key=wanted.idempotency_key,
    )


def _details(row: Ingress) -> dict[str, str]:
    return {"path": row.path, "content": row.content, "kind": row.kind, "scanned_by": row.scanned_by}


def _known(session: Session, subject: Subject, project_id: str, wanted: NewIngress) -> Ingress | None:
    row = session.scalars(
        select(Ingress).where(
            Ingress.project_id == project_id,
            Ingress.requested_by == subject.name,
            Ingress.idempotency_key == wanted.idempotency_key,
        )
    ).one_or_none()
    if row is not None and (row.content, row.path) != (wanted.content, wanted.path):
        raise ConflictError("This idempotency key was used for another file.", "Use a new one.")
    return row
