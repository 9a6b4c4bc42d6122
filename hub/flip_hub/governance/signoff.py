"""Signing a job off: inside what reviewers approved it is automatic, and it expires."""

from __future__ import annotations

from datetime import timedelta

from flip_sdk.contract.tasks import SignedOffJob

from flip_hub.database import Job, Project
from flip_hub.governance.office import Office
from flip_hub.keys import signing_key


def sign_off(office: Office, project: Project, job: Job) -> None:
    """Put the signed order on a job: these Trusts, this spec, until this moment, and nothing else."""
    expires_at = min(job.submitted_at + timedelta(hours=office.config.sign_off_hours), project.expires_at)
    order = SignedOffJob(
        job_id=job.job_id,
        spec=job.spec,
        project_title=project.application.title,
        project_expires_at=project.expires_at,
        trusts=tuple(job.trusts),
        researcher=job.submitted_by,
        signed_off_by=tuple(
            review.reviewer
            for review in project.reviews
            if review.version == project.version and review.decision == "approve"
        ),
        issued_at=job.submitted_at,
        expires_at=expires_at,
    )
    job.signed_job = signing_key(office.config, "governance").sign(order)
    job.expires_at = expires_at
