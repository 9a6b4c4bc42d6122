"""What a version's kernel finds in its folder: the notebook and the results that belong to it, and nothing else.

``<home>/dashboards/<project>/<name>/<version>/content`` is what a kernel reads; what was drawn of it lies beside that,
out of its reach. All of it is made of the database and the blobs, and made again where it is gone.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import DashboardVersion, Job, JobResultRow
from flip_hub.governance import jobs
from flip_hub.governance.office import Office

NOTEBOOK = "notebook.ipynb"
CONTENT = "content"


def place(config: HubConfig, project: str, name: str, version: int) -> Path:
    """The folder of a version."""
    return config.dashboards / project / name / str(version)


def path_of(project: str, name: str, version: int) -> str:
    """The folder that a version's kernels read, below the folder of all dashboards: so Jupyter names it."""
    return f"{project}/{name}/{version}/{CONTENT}"


def lay_out(office: Office, session: Session, row: DashboardVersion) -> Path:
    """The folder that the version's kernels read, made where it is not there.

    Raises:
        MissingError: its notebook is not kept any more.
        BlobCorruptError: its notebook is damaged.
    """
    folder = place(office.config, row.project_id, row.name, row.version)
    content = folder / CONTENT
    if (content / NOTEBOOK).is_file():
        return content
    draft = folder / f".{secrets.token_hex(8)}"
    try:
        _write(draft / NOTEBOOK, office.blobs.get(row.notebook))
        for job_id, result in _results(session, row).items():
            _write(draft / "jobs" / f"{job_id}.json", result)
        for path in (draft, *draft.rglob("*")):
            # its kernel may run as an account of its own, and reads them by their mode
            path.chmod(0o755 if path.is_dir() else 0o644)
        if not content.exists():
            draft.rename(content)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return content


def clear(folder: Path) -> None:
    """Take a version's folder away, with what was drawn of it; or a file of an older layout."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_file():
        folder.unlink()


def _results(session: Session, row: DashboardVersion) -> dict[str, bytes]:
    chosen = (
        select(JobResultRow, Job)
        .join(Job, Job.job_id == JobResultRow.job_id)
        .where(Job.project_id == row.project_id, JobResultRow.job_id.in_(row.jobs))
    )
    return {job.job_id: jobs.told(row, job).canonical() for row, job in session.execute(chosen)}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
