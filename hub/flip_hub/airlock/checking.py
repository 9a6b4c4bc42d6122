"""The queue of checks: in the database, so that it goes on after a restart where it stopped."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from flip_sdk.contract.airlock import Examined, Finding, OutputStatement
from flip_sdk.errors import PublicError
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from flip_hub import sandbox
from flip_hub.airlock.checks import Past, examine_apart
from flip_hub.airlock.embedding import with_embedding
from flip_hub.airlock.knowledge import past_of
from flip_hub.airlock.outcome import record
from flip_hub.database import CheckRun, Database, Entry, Project, ReleaseRequest, Routine, now
from flip_hub.errors import BlobCorruptError, MissingError, UnavailableError
from flip_hub.governance.office import Office

Examine = Callable[[Path, Sequence[OutputStatement], Past], tuple[Examined, ...]]
CLAIM = timedelta(minutes=12)
"""For how long one process has a request for itself; longer than the checks may take."""
PAUSE = timedelta(seconds=20)
"""Before checks that failed are tried again."""
KEPT = timedelta(days=30)
"""For how long checks beforehand are kept."""
MOST_ATTEMPTS = 3
_log = logging.getLogger(__name__)
_EXAMINED: TypeAdapter[tuple[Examined, ...]] = TypeAdapter(tuple[Examined, ...])


@dataclass(frozen=True)
class _Task:
    """A request that this process has for itself, until ``claimed_until`` or until its row says otherwise."""

    kind: type[ReleaseRequest | CheckRun]
    key: str
    project_id: str
    statements: tuple[OutputStatement, ...]
    asked_at: datetime
    attempts: int
    claimed_until: datetime


def work_off(office: Office, examine: Examine | None = None) -> int:
    """Run every check that waits.

    Args:
        office: governance.
        examine: runs the checks; without it, in a sandbox of their own.

    Returns:
        How many requests were checked.
    """
    done = 0
    while (task := _claim(office)) is not None:
        _run(office, task, examine or _examine_apart(office))
        done += 1
    return done


def begin(office: Office) -> None:
    """At the start of the one process that checks: what a killed one had for itself is free again, and its files go."""
    shutil.rmtree(office.config.airlock, ignore_errors=True)
    with office.database.write(Routine("who checks a request is nobody's decision")) as session:
        session.execute(update(ReleaseRequest).values(claimed_until=None))
        session.execute(update(CheckRun).values(claimed_until=None))
        session.execute(delete(CheckRun).where(CheckRun.done_at < now() - KEPT))


def _examine_apart(office: Office) -> Examine:
    sandboxed = sandbox.required(office.config, _log, "The airlock's checks")

    def examine(folder: Path, statements: Sequence[OutputStatement], past: Past) -> tuple[Examined, ...]:
        return examine_apart(folder, statements, past, sandboxed=sandboxed)

    return examine


def _claim(office: Office) -> _Task | None:
    """The request that waits longest; checks beforehand come first, as somebody sits before them."""
    with office.database.read() as session:
        if _next(session) is None:
            return None
    with office.database.write(Routine("who checks a request is nobody's decision")) as session:
        row = _next(session)
        if row is None:
            return None
        row.claimed_until, row.attempts = now() + CLAIM, row.attempts + 1
        if isinstance(row, CheckRun):
            key, statements, asked_at = row.check_id, row.wanted.files, row.asked_at
        else:
            statements = tuple(output.statement for output in row.outputs)
            key, asked_at = row.request_id, row.requested_at
        return _Task(type(row), key, row.project_id, statements, asked_at, row.attempts, row.claimed_until)


def _next(session: Session) -> ReleaseRequest | CheckRun | None:
    moment = now()
    check = select(CheckRun).where(CheckRun.done_at.is_(None), _free(CheckRun, moment))
    found: ReleaseRequest | CheckRun | None = session.scalars(check.order_by(CheckRun.asked_at).limit(1)).first()
    if found is not None:
        return found
    request = select(ReleaseRequest).where(
        ReleaseRequest.open, ReleaseRequest.checked_at.is_(None), _free(ReleaseRequest, moment)
    )
    return session.scalars(request.order_by(ReleaseRequest.requested_at).limit(1)).first()


def _free(kind: type[ReleaseRequest | CheckRun], moment: datetime) -> ColumnElement[bool]:
    return or_(kind.claimed_until.is_(None), kind.claimed_until < moment)


def _run(office: Office, task: _Task, examine: Examine) -> None:
    error: Exception = UnavailableError("They ended the hub's process.", "Tell the hub's operator.")
    if task.attempts <= MOST_ATTEMPTS:
        try:
            examined = _examined(office, task, examine)
        except (PublicError, BlobCorruptError, OSError) as failed:
            _log.exception("checks of %s failed, attempt %d", task.key, task.attempts)
            error = failed
        else:
            _keep(office, task, examined)
            return
    if task.attempts < MOST_ATTEMPTS:
        _put_back(office.database, task)
        return
    _keep(office, task, tuple(_failed(statement, error) for statement in task.statements))


def _examined(office: Office, task: _Task, examine: Examine) -> tuple[Examined, ...]:
    without = task.key if task.kind is ReleaseRequest else ""
    with office.database.read() as session:
        past = past_of(office, session, session.get_one(Project, task.project_id), without=without)
    with _laid_out(office, task.statements) as folder:
        found = examine(folder, task.statements, past)
    with office.database.read() as session:
        return with_embedding(session, task.project_id, task.statements, found, task.asked_at)


@contextmanager
def _laid_out(office: Office, statements: Sequence[OutputStatement]) -> Iterator[Path]:
    """The files under their paths, in a folder of their own; each blob is read by its digest."""
    office.config.airlock.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=office.config.airlock))
    try:
        for statement in statements:
            target = folder / statement.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(office.blobs.get(statement.content))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _failed(statement: OutputStatement, error: Exception) -> Examined:
    words = error.message if isinstance(error, PublicError) else "What is kept of it cannot be read."
    missing = isinstance(error, MissingError | BlobCorruptError)
    finding = Finding(
        rule="check.failed",
        severity="block",
        message=f"The checks failed: {words}"[:4000],
        mend="Upload it and ask again." if missing else "Ask again; if it stays, tell the hub's operator.",
    )
    return Examined(
        path=statement.path, content=statement.content, bytes=0, kind=None, findings=(finding,), verdict="block"
    )


def _put_back(database: Database, task: _Task) -> None:
    with database.write(Routine("checks that failed are tried again")) as session:
        row = session.get(CheckRun, task.key) or session.get_one(ReleaseRequest, task.key)
        row.claimed_until = now() + PAUSE


def _keep(office: Office, task: _Task, examined: tuple[Examined, ...]) -> None:
    if task.kind is CheckRun:
        with office.database.write(Routine("checks beforehand submit nothing")) as session:
            run = session.get_one(CheckRun, task.key)
            run.results, run.done_at = _EXAMINED.dump_json(examined).decode(), now()
        return
    entry = Entry("airlock", "output.checked", f"release-request/{task.key}")
    with office.database.write(entry) as session:
        row = session.get_one(ReleaseRequest, task.key)
        if row.claimed_until != task.claimed_until:
            # something was released meanwhile that these checks did not know: they run anew
            entry.details["void"] = True
            return
        entry.details.update(record(session, row, examined))
