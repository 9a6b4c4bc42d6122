"""Trained models by content, each with where it came from."""

from __future__ import annotations

from typing import Any

from flip_sdk.contract.jobs import ModelRef
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import BlobUse, Job, ModelVersion, now
from flip_hub.models.blobs import BlobStore


def keep_model(session: Session, blobs: BlobStore, job: Job, model: ModelRef, lineage: dict[str, Any]) -> ModelVersion:
    """Record a job's model as the project's own, in the caller's transaction. A second call changes nothing.

    Args:
        session: the transaction in which the job completes.
        blobs: where graph and weights already are.
        job: the job that trained it.
        model: graph and weights by content.
        lineage: JSON values: initial weights, spec digest, Trusts and rounds, for instance.
    """
    chosen = select(ModelVersion).where(
        ModelVersion.job_id == job.job_id, ModelVersion.graph == model.graph, ModelVersion.weights == model.weights
    )
    version = session.scalars(chosen).one_or_none()
    if version is None:
        version = ModelVersion(
            project_id=job.project_id,
            job_id=job.job_id,
            graph=model.graph,
            weights=model.weights,
            lineage=lineage,
            created_at=now(),
        )
        session.add(version)
    for digest in (model.graph, model.weights):
        size = blobs.path(digest).stat().st_size
        allow_blob(session, job.project_id, digest, size, job.submitted_by, inside=True, outside=True)
    session.flush()
    return version


def models_of(session: Session, project_id: str) -> list[ModelVersion]:
    """A project's trained models, newest first."""
    chosen = select(ModelVersion).where(ModelVersion.project_id == project_id).order_by(ModelVersion.version_id.desc())
    return list(session.scalars(chosen))


def allow_blob(
    session: Session, project_id: str, digest: str, size: int, by: str, *, inside: bool, outside: bool
) -> None:
    """Let a project read a blob: in its workspaces, elsewhere, or both. What it may read already, it still may."""
    row = session.get(BlobUse, (project_id, digest))
    if row is None:
        row = BlobUse(project_id=project_id, digest=digest, size=size, by=by, at=now(), inside=False, outside=False)
        session.add(row)
    row.inside = row.inside or inside
    row.outside = row.outside or outside
    session.flush()
