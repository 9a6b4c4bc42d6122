"""A project's blobs: model graphs, weights and notebooks, by content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, select

from flip_hub.database import BlobUse, Entry
from flip_hub.errors import MissingError, TooLargeError
from flip_hub.governance.access import object_of, permit
from flip_hub.governance.office import Office
from flip_hub.models.blobs import BlobWriter
from flip_hub.models.versions import allow_blob
from flip_hub.policy import Subject


def check(office: Office, subject: Subject, project_id: str) -> int:
    """Whether this person may upload now.

    Returns:
        How many bytes at most.

    Raises:
        DeniedError: not a researcher of the team.
        NotNowError: the project is not approved, or has expired.
        TooLargeError: the project's room is used up.
    """
    with office.database.read() as session:
        permit(office, session, subject, "upload", project_id)
        used = session.scalar(select(func.sum(BlobUse.size)).where(BlobUse.project_id == project_id)) or 0
    room = office.config.max_project_bytes - int(used)
    if room <= 0:
        raise TooLargeError("The project's room for files is used up.", "Ask the operator for more.")
    return min(room, office.config.max_blob_bytes)


def keep(office: Office, subject: Subject, project_id: str, digest: str, writer: BlobWriter) -> None:
    """Keep an upload, and let the project read it.

    Raises:
        InvalidError: its digest is another one.
    """
    writer.commit(digest)
    details = {"digest": digest, "bytes": writer.size}
    with office.database.write(Entry(subject.name, "blob.uploaded", f"project/{project_id}", details)) as session:
        permit(office, session, subject, "upload", project_id)
        inside = bool(subject.workspace)
        allow_blob(session, project_id, digest, writer.size, subject.name, inside=inside, outside=not inside)


def path_of(office: Office, subject: Subject, project_id: str, digest: str) -> Path:
    """Where a blob of the project's is.

    Raises:
        MissingError: the project has no such blob.
        DeniedError: not on the team.
        NotNowError: the project is not approved, or has expired.
        DeniedError: it is on the other side of the airlock.
    """
    with office.database.read() as session:
        project = permit(office, session, subject, "download", project_id)
        use = session.get(BlobUse, (project_id, digest))
        if use is None or not office.blobs.has(digest):
            raise MissingError("The project has no such blob.", "Upload it first, in this project.")
        blob = replace(object_of(session, project), item=digest, inside=use.inside, outside=use.outside)
    office.policies.authorise(subject, "read_blob", blob)
    return office.blobs.path(digest)
