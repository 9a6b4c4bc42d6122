"""A cohort's description, its price, and counting it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flip_sdk.catalogue import Catalogue
from flip_sdk.connection import Connection
from flip_sdk.contract.api import JobResult, JobView, SubmitJob, TrustBudget, TrustCatalogue
from flip_sdk.contract.jobs import CountSpec
from flip_sdk.errors import SpecError
from flip_sdk.preflight import notes, taking_part, violations
from flip_sdk.pricing import prices

from flip_lab.cohorts import AskedCohort, Written


def catalogue(connection: Connection, project_id: str) -> Catalogue:
    """What the project's Trusts hold."""
    return Catalogue(connection.get_all(f"projects/{project_id}/catalogue", TrustCatalogue))


def described(connection: Connection, project_id: str, asked: AskedCohort) -> dict[str, Any]:
    """The cohort in words and in code, and what a count of it costs at each Trust. Nothing is submitted."""
    known = catalogue(connection, project_id)
    written = Written(asked, known)
    budgets = connection.get_all(f"projects/{project_id}/budget", TrustBudget)
    spec = _spec(project_id, written, known, asked)
    return {
        "words": written.cohort().explain(known).splitlines(),
        "code": written.code(),
        "prices": [
            {
                "trust": price.trust,
                "after": price.project.stated.after if price.project else None,
                "cap": price.project.stated.cap if price.project else None,
                "admitted": price.admitted,
                "why_not": price.why_not,
            }
            for price in prices(spec, taking_part(spec, budgets))
        ],
        "notes": notes(spec, budgets),
        "problems": [violation.model_dump(mode="json") for violation in violations(spec, budgets)],
    }


def count(connection: Connection, project_id: str, asked: AskedCohort) -> JobView:
    """Submit a count. It costs epsilon at each Trust that takes part.

    Raises:
        SpecError: no budget covers it, or nobody takes part.
    """
    known = catalogue(connection, project_id)
    spec = _spec(project_id, Written(asked, known), known, asked)
    found = violations(spec, connection.get_all(f"projects/{project_id}/budget", TrustBudget))
    if found:
        raise SpecError(found)
    return connection.post(f"projects/{project_id}/jobs", SubmitJob(spec=spec, idempotency_key=uuid4().hex), JobView)


def counts(connection: Connection, job_id: str) -> dict[str, Any]:
    """What a completed count released: noisy persons at each Trust; None where under the floor."""
    result = connection.get(f"jobs/{job_id}/result", JobResult)
    told = [number for number in result.counts.values() if number is not None]
    return {"counts": result.counts, "total": sum(told) if told else None, "epsilon": result.epsilon}


def _spec(project_id: str, written: Written, known: Catalogue, asked: AskedCohort) -> CountSpec:
    cohort = written.cohort().resolve(lambda: known)
    return CountSpec(project_id=project_id, cohort=cohort, epsilon=asked.epsilon)
