"""Asking for files to be released, and taking it back. Everything that is wrong is said at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from flip_sdk.contract.airlock import CheckView, Examined, NewRelease, OutputStatement, ReleaseView
from flip_sdk.contract.states import OUTPUT, OutputState
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import SpecError
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flip_hub.airlock.access import load_project, load_request, request_item
from flip_hub.airlock.assessments import without_assessments
from flip_hub.airlock.views import WAITING, request_view
from flip_hub.dashboards.versions import newest
from flip_hub.database import (
    BlobUse,
    CheckRun,
    Entry,
    Job,
    Output,
    Project,
    ReleaseRequest,
    Routine,
    now,
)
from flip_hub.errors import ConflictError, MissingError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

_EXAMINED: TypeAdapter[tuple[Examined, ...]] = TypeAdapter(tuple[Examined, ...])


def submit(office: Office, subject: Subject, project_id: str, wanted: NewRelease) -> ReleaseView:
    """Ask for files to be released. Their checks begin at once; the same idempotency key again gives the same request.

    Raises:
        MissingError: no such project.
        DeniedError: not a researcher of its team.
        NotNowError: the project is not approved, or has expired.
        ConflictError: the idempotency key was used for another request.
        SpecError: files that cannot be taken; all of them.
    """
    with office.database.read() as session:
        project = permit(office, session, subject, "request_release", project_id)
        known = _known(session, subject, project_id, wanted)
        if known is not None:
            return shown(session, subject, known)
        _raise_violations(office, session, project, wanted)
    entry = Entry(subject.name, "release.requested", f"project/{project_id}")
    try:
        with office.database.write(entry) as session:
            project = permit(office, session, subject, "request_release", project_id)
            row = _row(office, project, subject, wanted)
            session.add(row)
            session.flush()
            entry.details.update(
                request=row.request_id,
                purpose=row.purpose,
                audience=row.audience,
                files=[{"path": o.path, "content": o.content, "leaves": o.statement.leaves} for o in row.outputs],
            )
            return shown(session, subject, row)
    except IntegrityError:
        return _same_again(office, subject, project_id, wanted)


def withdraw(office: Office, subject: Subject, request_id: str) -> ReleaseView:
    """Take back what of a request is not decided yet.

    Raises:
        MissingError: no such request.
        DeniedError: not a researcher of its project's team.
        ConflictError: everything of it is decided.
    """
    entry = Entry(subject.name, "output.withdrawn", f"release-request/{request_id}")
    with office.database.write(entry) as session:
        row = load_request(office, session, subject, "withdraw_release", request_id)
        waiting = [output for output in row.outputs if output.state in WAITING]
        if not row.open:
            raise ConflictError("Everything of this request is decided.", "A released file is revoked by a checker.")
        for output in waiting:
            output.state = OUTPUT.step(output.state, OutputState.WITHDRAWN).target
        row.open = False
        entry.details["files"] = [output.path for output in waiting]
        session.flush()
        return shown(session, subject, row)


def show(office: Office, subject: Subject, request_id: str) -> ReleaseView:
    """One request.

    Raises:
        MissingError: there is no such request, or this person may not know of it.
    """
    with office.database.read() as session:
        return shown(session, subject, load_request(office, session, subject, "view_release", request_id))


def requests_of(office: Office, subject: Subject, project_id: str) -> list[ReleaseView]:
    """A project's requests, newest first, for its own team."""
    with office.database.read() as session:
        load_project(office, session, subject, "list_releases", project_id)
        chosen = select(ReleaseRequest).where(ReleaseRequest.project_id == project_id)
        rows = session.scalars(chosen.order_by(ReleaseRequest.requested_at.desc())).all()
        may = [r for r in rows if office.policies.decide(subject, "view_release", request_item(session, r)).allowed]
        return [shown(session, subject, row) for row in may]


def shown(session: Session, subject: Subject, row: ReleaseRequest) -> ReleaseView:
    """A request, as this person may see it."""
    return request_view(session, subject, row, request_item(session, row).members)


def check(office: Office, subject: Subject, project_id: str, wanted: NewRelease) -> CheckView:
    """Begin the very same checks, with nothing submitted.

    Raises:
        MissingError: no such project.
        DeniedError: not a researcher of its team.
        NotNowError: the project is not approved, or has expired.
        SpecError: files that cannot be taken; all of them.
    """
    with office.database.write(Routine("checks beforehand submit nothing")) as session:
        project = permit(office, session, subject, "request_release", project_id)
        _raise_violations(office, session, project, wanted)
        row = CheckRun(
            check_id=secrets.token_hex(12),
            project_id=project_id,
            asked_by=subject.name,
            asked_at=now(),
            wanted=wanted,
            attempts=0,
            results="[]",
            problem="",
        )
        session.add(row)
        session.flush()
        return check_view(row)


def show_check(office: Office, subject: Subject, check_id: str) -> CheckView:
    """Checks that this person began.

    Raises:
        MissingError: there are none of theirs with this id.
    """
    with office.database.read() as session:
        row = session.get(CheckRun, check_id)
        if row is None or row.asked_by != subject.name:
            raise MissingError("There are no such checks of yours.", "Begin them again.")
        permit(office, session, subject, "request_release", row.project_id)
        return check_view(row)


def check_view(row: CheckRun) -> CheckView:
    """Checks that were begun."""
    return CheckView(
        check_id=row.check_id,
        project_id=row.project_id,
        done=row.done_at is not None,
        files=_EXAMINED.validate_json(row.results),
        problem=row.problem,
    )


def _raise_violations(office: Office, session: Session, project: Project, wanted: NewRelease) -> None:
    if found := list(_violations(office, session, project, wanted)):
        raise SpecError(found)


def _violations(office: Office, session: Session, project: Project, wanted: NewRelease) -> Iterator[Violation]:
    chosen = select(BlobUse).where(
        BlobUse.project_id == project.project_id, BlobUse.digest.in_([file.content for file in wanted.files])
    )
    sizes = {use.digest: use.size for use in session.scalars(chosen) if office.blobs.has(use.digest)}
    named = {job for file in wanted.files for job in file.jobs}
    known = set(session.scalars(select(Job.job_id).where(Job.project_id == project.project_id, Job.job_id.in_(named))))
    for file in wanted.files:
        yield from _of_file(office, session, project, file, file.path, sizes, known)
    paths = {file.path for file in wanted.files}
    for path in sorted(p for p in paths if any(other.startswith(f"{p}/") for other in paths)):
        yield Violation(
            rule="file_is_folder",
            where=path,
            message="It is a file, and another one's folder.",
            mend="Name one of them differently.",
        )
    if not any(file.leaves for file in wanted.files):
        yield Violation(
            rule="nothing_leaves",
            where="files",
            message="Every file of this request only helps the checkers.",
            mend="Name at least one that is to leave.",
        )
    if sum(sizes.get(file.content, 0) for file in wanted.files) > office.config.max_request_bytes:
        yield Violation(
            rule="request_too_large",
            where="files",
            message=f"Together the files are larger than {office.config.max_request_bytes:,} bytes.",
            mend="Ask for fewer at once.",
        )


def _of_file(
    office: Office,
    session: Session,
    project: Project,
    file: OutputStatement,
    where: str,
    sizes: dict[str, int],
    jobs: set[str],
) -> Iterator[Violation]:
    size = sizes.get(file.content)
    if size is None:
        yield Violation(
            rule="blob_missing",
            where=where,
            message="The project has no file with this digest.",
            mend="Upload it first, in this project.",
        )
    elif size > office.config.max_output_bytes:
        yield Violation(
            rule="file_too_large",
            where=where,
            message=f"It has {size:,} bytes; at most {office.config.max_output_bytes:,} are released.",
            mend="Make it smaller: fewer rows, a summary, or a compressed image.",
        )
    if unknown := sorted(set(file.jobs) - jobs):
        yield Violation(
            rule="job_unknown",
            where=where,
            message=f"This project has no job {', '.join(unknown)}.",
            mend="Name jobs as project.jobs() lists them.",
        )
    if file.dashboard is not None and not _is_of(session, project, file):
        yield Violation(
            rule="dashboard_differs",
            where=where,
            message=f"The dashboard {file.dashboard} is not published from this notebook and these jobs.",
            mend="Publish it, and ask for the release of that very notebook, naming the same jobs.",
        )


def _is_of(session: Session, project: Project, file: OutputStatement) -> bool:
    row = newest(session, project.project_id, file.dashboard or "")
    return row is not None and row.notebook == file.content and set(row.jobs) == set(file.jobs)


def _row(office: Office, project: Project, subject: Subject, wanted: NewRelease) -> ReleaseRequest:
    request_id = secrets.token_hex(12)
    row = ReleaseRequest(
        request_id=request_id,
        project_id=project.project_id,
        purpose=wanted.purpose,
        audience=wanted.audience,
        requested_by=subject.name,
        requested_at=now(),
        idempotency_key=wanted.idempotency_key,
        wanted=wanted.digest(),
        attempts=0,
        open=True,
    )
    row.outputs = [
        Output(
            output_id=secrets.token_hex(12),
            project_id=project.project_id,
            place=place,
            path=file.path,
            content=file.content,
            statement=file,
            state=OUTPUT.start,
            reason="",
            decisions=[],
        )
        for place, file in enumerate(without_assessments(office.blobs, each) for each in wanted.files)
    ]
    return row


def _known(session: Session, subject: Subject, project_id: str, wanted: NewRelease) -> ReleaseRequest | None:
    row = session.scalars(
        select(ReleaseRequest).where(
            ReleaseRequest.project_id == project_id,
            ReleaseRequest.requested_by == subject.name,
            ReleaseRequest.idempotency_key == wanted.idempotency_key,
        )
    ).one_or_none()
    if row is not None and row.wanted != wanted.digest():
        raise ConflictError("This idempotency key was used for another request.", "Use a new one.")
    return row


def _same_again(office: Office, subject: Subject, project_id: str, wanted: NewRelease) -> ReleaseView:
    """Two requests with one idempotency key at once: the second gets the first one's."""
    with office.database.read() as session:
        known = _known(session, subject, project_id, wanted)
        if known is None:
            raise ConflictError("The request could not be taken.", "Submit it again.")
        return shown(session, subject, known)
