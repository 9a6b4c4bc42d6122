"""Releasing a file that two checkers approved, revoking it, and what a project has released."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from flip_sdk.contract.airlock import Audience, ReleasedFile, ReleaseView, narrowest
from flip_sdk.contract.states import OUTPUT, OutputState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.airlock.access import load_output, load_project, load_release, request_item
from flip_hub.airlock.crate import make_crate
from flip_hub.airlock.criteria import make_criteria
from flip_hub.airlock.requests import shown
from flip_hub.airlock.views import released_view
from flip_hub.dashboards.versions import hide_release, show_release
from flip_hub.database import Entry, Output, Release, ReleaseRequest, now
from flip_hub.errors import BlobCorruptError, ConflictError, MissingError, UnavailableError
from flip_hub.governance.office import Office
from flip_hub.policy import Subject


@dataclass(frozen=True)
class Served:
    """A released file's bytes, and under which name they are saved."""

    content: bytes
    name: str


def release(office: Office, session: Session, output: Output) -> dict[str, Any]:
    """Make an approved file a released one, in the caller's transaction: with its crate and its criteria.

    Returns:
        Details for the audit entry.

    Raises:
        ConflictError: what is kept is no longer the file that was checked and approved.
    """
    content = _same_bytes(office, output)
    criteria = office.blobs.put(make_criteria(office, output))
    crate = office.blobs.put(make_crate(office, session, output, content))
    row = Release(
        release_id=secrets.token_hex(12),
        output_id=output.output_id,
        request_id=output.request_id,
        project_id=output.project_id,
        path=output.path,
        title=output.statement.title,
        content=output.content,
        size=len(content),
        kind=output.examined.kind if output.examined else None,
        statement=output.statement,
        crate=crate,
        criteria=criteria,
        audience=_audience(output),
        released_at=output.decided_at or now(),
        revoked_because="",
    )
    session.add(row)
    session.flush()
    details = {"release": row.release_id, "crate": crate, "criteria": criteria, "audience": row.audience}
    return details | show_release(session, row, output.request.requested_at)


def revoke(office: Office, subject: Subject, output_id: str, reason: str) -> ReleaseView:
    """Serve a released file no longer. What was fetched already cannot be called back; its row stays.

    Raises:
        MissingError: no such file.
        DeniedError: neither an output checker nor an operator, or one with a conflict of interest.
        ConflictError: it is not released.
    """
    entry = Entry(subject.name, "output.revoked", f"output/{output_id}", {"reason": reason})
    with office.database.write(entry) as session:
        output = load_output(office, session, subject, "revoke_release", output_id)
        if not OUTPUT.allows(output.state, OutputState.REVOKED):
            raise ConflictError(f"{output.path} is not released.", "Load the page again to see what became of it.")
        row = session.scalars(select(Release).where(Release.output_id == output_id)).one()
        output.state, output.reason = OUTPUT.step(output.state, OutputState.REVOKED).target, reason
        row.revoked_at, row.revoked_by, row.revoked_because = now(), subject.name, reason
        entry.details.update(path=row.path, content=row.content, release=row.release_id)
        hide_release(session, row)
        session.flush()
        return shown(session, subject, output.request)


def releases_of(office: Office, subject: Subject, project_id: str) -> list[ReleasedFile]:
    """What a project released, newest first, and what was revoked of it.

    Raises:
        MissingError: no such project.
        DeniedError: not on its team, and nobody who oversees releases.
    """
    with office.database.read() as session:
        load_project(office, session, subject, "list_releases", project_id)
        chosen = select(Release).where(Release.project_id == project_id).order_by(Release.sequence.desc())
        return [released_view(row) for row in session.scalars(chosen)]


def revocable(office: Office, subject: Subject, project_id: str) -> frozenset[str]:
    """Ids of a project's releases that this person may revoke."""
    with office.database.read() as session:
        chosen = select(Release).where(Release.project_id == project_id, Release.revoked_at.is_(None))
        return frozenset(
            row.release_id
            for row in session.scalars(chosen)
            if office.policies.decide(
                subject, "revoke_release", request_item(session, session.get_one(ReleaseRequest, row.request_id))
            ).allowed
        )


def output_of(office: Office, project_id: str, release_id: str) -> str:
    """The output that a release of this project is of.

    Raises:
        MissingError: there is no such release of the project.
    """
    with office.database.read() as session:
        row = session.scalars(select(Release).where(Release.release_id == release_id)).one_or_none()
    if row is None or row.project_id != project_id:
        raise MissingError("This project has no such release.", "See the project's releases.")
    return row.output_id


def show(office: Office, subject: Subject | None, release_id: str) -> ReleasedFile:
    """One released file.

    Raises:
        MissingError: no such release, or not for this person.
        DeniedError: it was revoked.
    """
    with office.database.read() as session:
        return released_view(load_release(office, session, subject, release_id))


def serve(office: Office, subject: Subject | None, release_id: str, part: str) -> Served:
    """A released file's own bytes, its crate, or its criteria.

    Args:
        office: governance.
        subject: who fetches it; None: somebody who is not signed in.
        release_id: of the release.
        part: ``file``, ``crate`` or ``criteria``.

    Raises:
        MissingError: no such release, or not for this person.
        DeniedError: it was revoked.
        UnavailableError: what is kept of it is damaged.
    """
    details: dict[str, Any] = {"part": part}
    entry = Entry(subject.name if subject else "", "output.downloaded", f"release/{release_id}", details)
    # what is public is fetched by whoever likes, as often as they like: that is not audited
    with office.database.write(entry) if subject else office.database.read() as session:
        row = load_release(office, session, subject, release_id)
        stem = row.path.rpartition("/")[2]
        digests = {
            "file": (row.content, stem),
            "crate": (row.crate, f"{stem}.crate.zip"),
            "criteria": (row.criteria, f"{stem}.criteria.json"),
        }
        if part not in digests:
            raise MissingError("A release has no such part.", "Fetch its file, its crate or its criteria.")
        address, name = digests[part]
        details["content"] = address
    try:
        return Served(office.blobs.get(address), name)
    except (BlobCorruptError, MissingError) as error:
        raise UnavailableError("What is kept of this release is damaged.", "Tell the hub's operator.") from error


def _audience(output: Output) -> Audience:
    """The narrowest of what was asked and of what those who approve it say."""
    said = (row.audience for row in output.decisions if row.decision == "approve")
    return narrowest(output.request.audience, *said)


def _same_bytes(office: Office, output: Output) -> bytes:
    try:
        content = office.blobs.get(output.content)
    except (BlobCorruptError, MissingError) as error:
        mend = "Withhold it, and tell the hub's operator: somebody or something changed it."
        raise ConflictError(f"{output.path} is no longer the file that was checked.", mend) from error
    if output.examined is None or output.examined.content != output.content:
        raise ConflictError(f"{output.path} is not what was checked.", "Its author has to ask for it anew.")
    return content
