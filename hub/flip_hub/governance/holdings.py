"""What the hub keeps of one project and deletes with it: workspace homes, dashboards, bytes that are not released."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flip_sdk.contract.closing import PurgedItem
from flip_sdk.contract.records import digest
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from flip_hub.database import (
    BlobUse,
    Checkpoint,
    CheckRun,
    Dashboard,
    DashboardLink,
    DashboardVersion,
    Ingress,
    Job,
    JobResultRow,
    LinkDecision,
    LinkReader,
    ModelVersion,
    Output,
    ReceivedUpdate,
    Release,
    SharedSum,
)
from flip_hub.governance.office import Office

_BY_PROJECT = (
    (BlobUse, BlobUse.digest),
    (ModelVersion, ModelVersion.graph),
    (ModelVersion, ModelVersion.weights),
    (Output, Output.content),
    (Ingress, Ingress.content),
)
_BY_JOB = (
    (Checkpoint, Checkpoint.state_digest),
    (ReceivedUpdate, ReceivedUpdate.tensors),
    (SharedSum, SharedSum.roster),
)
_RELEASED = (Release.content, Release.crate, Release.criteria)


@dataclass(frozen=True)
class Files:
    """What is to be deleted from the disk.

    Attributes:
        blobs: digests that nothing else needs.
        folders: whole folders.
    """

    blobs: frozenset[str]
    folders: tuple[Path, ...]


def items(office: Office, session: Session, project_id: str) -> list[PurgedItem]:
    """What there is to delete, by count and digest."""
    found = files(office, session, project_id)
    paths = [office.blobs.path(one) for one in found.blobs]
    size = sum(path.stat().st_size for path in paths if path.exists())
    blobs = sorted(found.blobs)
    held = PurgedItem(what="files and models", count=len(blobs), size=size, contents=_digest(blobs))
    results = list(session.scalars(select(JobResultRow).where(JobResultRow.job_id.in_(_jobs(project_id)))))
    told = [row.content.digest() for row in results]
    kept = PurgedItem(what="results of jobs", count=len(told), contents=_digest(sorted(told)))
    names = ("files in workspaces", "files of dashboards", "files brought in")
    return [*map(_folder, names, found.folders), held, kept]


def files(office: Office, session: Session, project_id: str) -> Files:
    """What is on the disk for this project and for nothing else."""
    blobs = _digests(session, project_id, own=True) - _digests(session, project_id, own=False) - _released(session)
    config = office.config
    homes = (config.workspaces, config.dashboards, config.incoming)
    return Files(frozenset(blobs), tuple(home / project_id for home in homes))


def delete_files(office: Office, found: Files) -> None:
    """Delete them; what is gone already is no matter."""
    for one in found.blobs:
        office.blobs.path(one).unlink(missing_ok=True)
    for folder in found.folders:
        if folder.exists():
            shutil.rmtree(folder)


def forget(session: Session, project_id: str) -> None:
    """Delete the rows that held or named it: results, checkpoints, updates, dashboards, who may read which bytes."""
    jobs = _jobs(project_id)
    for table in (JobResultRow, Checkpoint, ReceivedUpdate):
        session.execute(delete(table).where(table.job_id.in_(jobs)))
    links = select(DashboardLink.link_id).where(DashboardLink.project_id == project_id)
    for part in (LinkDecision, LinkReader):
        session.execute(delete(part).where(part.link_id.in_(links)))
    for owned in (DashboardLink, BlobUse, DashboardVersion, Dashboard, CheckRun):
        session.execute(delete(owned).where(owned.project_id == project_id))


def _digests(session: Session, project_id: str, *, own: bool) -> set[str]:
    """Bytes that this project's rows name, or that all others' do."""
    found: set[str | None] = set()
    for table, digests in _BY_PROJECT:
        chosen = table.project_id == project_id if own else table.project_id != project_id
        found |= set(session.scalars(select(digests).where(chosen)))
    for row, kept in _BY_JOB:
        jobs = row.job_id.in_(_jobs(project_id))
        found |= set(session.scalars(select(kept).where(jobs if own else ~jobs)))
    return {one for one in found if one}


def _released(session: Session) -> set[str]:
    return {one for column in _RELEASED for one in session.scalars(select(column))}


def _jobs(project_id: str) -> Select[Any]:
    return select(Job.job_id).where(Job.project_id == project_id)


def _folder(what: str, folder: Path) -> PurgedItem:
    """A folder's files by their paths and sizes: homes may be large, and are not read."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink()) if folder.exists() else []
    sizes = [path.lstat().st_size for path in found]
    named = [[str(path.relative_to(folder)), size] for path, size in zip(found, sizes, strict=True)]
    return PurgedItem(what=what, count=len(found), size=sum(sizes), contents=_digest(named))


def _digest(content: object) -> str:
    return digest(json.dumps(content, separators=(",", ":")).encode())
