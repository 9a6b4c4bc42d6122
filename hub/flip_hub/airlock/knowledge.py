"""What a request's files are compared with: what was released on the same data, and what this project's jobs gave."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

from flip_sdk.contract.states import JobState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.airlock.checks import KnownModel, KnownResult, Limits, Past, ReleasedTable, Table, load
from flip_hub.airlock.checks.tables import TableError, delimiter_of, read_delimited, read_json
from flip_hub.database import Job, JobResultRow, ModelVersion, Project, Release
from flip_hub.errors import BlobCorruptError, MissingError
from flip_hub.governance.office import Office
from flip_hub.models import BlobStore

MOST_RELEASED = 2_000
"""Tables, the newest first, that a request is compared with."""
_log = logging.getLogger(__name__)


def past_of(office: Office, session: Session, project: Project, *, without: str = "") -> Past:
    """All that checks of a project's files know.

    Args:
        office: governance.
        session: a transaction.
        project: whose files are checked.
        without: a request, whose own releases are left out: its files are compared with each other already.
    """
    limits = load(office.config.disclosure_limits)
    releases = released_on_the_same_data(session, project, without)
    tables = [table for row in releases if (table := _table(office.blobs, row, limits)) is not None]
    mine = {row.content for row in releases if row.project_id == project.project_id and row.revoked_at is None}
    return Past(
        project=project.project_id,
        limits=limits,
        released=tuple(tables),
        results=_results(session, project),
        models=_models(session, project),
        approved=tuple(sorted(mine)),
    )


def released_on_the_same_data(session: Session, project: Project, without: str = "") -> list[Release]:
    """Releases of this project, and of others that ask the same Trusts, newest first: revoked ones are known too."""
    have_released = session.scalars(select(Release.project_id).distinct()).all()
    same = on_the_same_data(session, project, have_released)
    chosen = select(Release).where(Release.project_id.in_(same), Release.request_id != without)
    return list(session.scalars(chosen.order_by(Release.sequence.desc()).limit(MOST_RELEASED)))


def on_the_same_data(session: Session, project: Project, ids: Iterable[str]) -> list[str]:
    """Out of some projects, those that ask one of this project's Trusts; itself among them."""
    trusts = set(project.application.trusts)
    others = session.scalars(select(Project).where(Project.project_id.in_(list(ids))))
    return [other.project_id for other in others if trusts & set(other.application.trusts)]


def _table(blobs: BlobStore, row: Release, limits: Limits) -> ReleasedTable | None:
    if row.kind != "table":
        return None
    try:
        text = blobs.get(row.content).decode("utf-8-sig")
        suffix = "." + row.path.rpartition(".")[2].lower()
        table: Table | None
        if suffix == ".json":
            table = read_json(json.loads(text), limits.table_cells)
        else:
            table = read_delimited(text, delimiter_of(text, suffix), limits.table_cells)
    except (MissingError, BlobCorruptError, TableError, ValueError, RecursionError):
        _log.exception("release %s cannot be compared with", row.release_id)
        return None
    if table is None:
        return None
    return ReleasedTable(content=row.content, project=row.project_id, statement=row.statement, table=table)


def _results(session: Session, project: Project) -> tuple[KnownResult, ...]:
    chosen = select(JobResultRow).join(Job, Job.job_id == JobResultRow.job_id)
    done = chosen.where(Job.project_id == project.project_id, Job.state == JobState.COMPLETED)
    return tuple(KnownResult.of(row.content) for row in session.scalars(done))


def _models(session: Session, project: Project) -> tuple[KnownModel, ...]:
    chosen = (
        select(ModelVersion, JobResultRow)
        .join(JobResultRow, JobResultRow.job_id == ModelVersion.job_id)
        .where(ModelVersion.project_id == project.project_id)
    )
    return tuple(
        KnownModel(
            job=version.job_id,
            graph=version.graph,
            weights=version.weights,
            epsilon=kept.content.epsilon,
            delta=kept.content.delta or 1e-12,
            trusts=kept.content.trusts,
        )
        for version, kept in session.execute(chosen)
    )
