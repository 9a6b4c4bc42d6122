"""What a steward can look up afterwards: every job that was sent here, its model's graph, and its cohort's exact size.

A graph comes from the hub and says nothing about a patient. The exact size does; it is written beside the job, in a
file of the Trust's own that nobody else reads, and no record that leaves has a place for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flip_sdk.contract.graph import GraphRecord, parse_graph
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import SignedOffJob
from flip_sdk.errors import ModelError, RecordError

from flip_trust.audit import Reader
from flip_trust.database import Statement
from flip_trust.verify import VerifiedTask


@dataclass(frozen=True)
class SeenJob:
    """A job that was sent here.

    Attributes:
        job: as governance signed it off.
        persons: its cohort's exact size, where it was reckoned.
    """

    job: SignedOffJob
    persons: int | None


def note(verified: VerifiedTask, now: datetime) -> tuple[Statement, ...]:
    """A job, at its first task."""
    job = verified.job
    values = (job.job_id, job.spec.project_id, job.canonical().decode(), now.isoformat())
    sql = "INSERT OR IGNORE INTO seen_job (job_id, project_id, record, at) VALUES (?, ?, ?, ?)"
    return ((sql, values),)


def modelled(graph: bytes | None) -> tuple[Statement, ...]:
    """The graph of a task that was accepted, once."""
    if graph is None:
        return ()
    return (("INSERT OR IGNORE INTO model_graph VALUES (?, ?)", (digest(graph), zlib.compress(graph))),)


def sized(job_id: str, persons: int | None) -> list[Statement]:
    """The exact size of a job's cohort."""
    return [("UPDATE seen_job SET persons = ? WHERE job_id = ?", (persons, job_id))] if persons is not None else []


def job_of(reader: Reader, job_id: str) -> SeenJob | None:
    """A job that was sent here; None for one of before jobs were kept."""
    rows = reader.read("SELECT record, persons FROM seen_job WHERE job_id = ?", (job_id,))
    return seen(rows[0]) if rows else None


def seen(row: Mapping[str, Any]) -> SeenJob | None:
    """A row's job; None where it has none, or one that this version cannot read any more."""
    try:
        return SeenJob(SignedOffJob.parse(row["record"]), row["persons"]) if row["record"] else None
    except RecordError:
        return None


def graph_of(reader: Reader, of: str) -> GraphRecord | None:
    """A model's graph by its digest; None where it is not kept."""
    rows = reader.read("SELECT graph FROM model_graph WHERE digest = ?", (of,))
    try:
        return parse_graph(zlib.decompress(rows[0]["graph"])) if rows else None
    except ModelError:
        return None
