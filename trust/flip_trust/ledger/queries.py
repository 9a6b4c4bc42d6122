"""The query ledger: every question that a project asked here, which cohorts lie near each other, and answers repeated.

It stays at the Trust, and a steward reads it. It protects nothing by itself: the noise and the ledger of privacy loss
do (docs/adr/0006). An answer that is sent again is what was released already: it costs nothing, whatever happened
since. That it is sent again depends on nothing about a patient: on the question, the year, and what the people of the
Trust did (a new catalogue, a list of opt-outs).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.jobs import AnySpec, CountSpec, StatisticsSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.statistics import rounds_of
from flip_sdk.contract.tasks import SafeUpdate
from flip_sdk.errors import RecordError
from flip_sdk.pricing import epsilon_of

from flip_trust.audit import Reader
from flip_trust.cohort.criteria import persons_in
from flip_trust.cohort.omop import Omop
from flip_trust.database import Statement
from flip_trust.errors import SetupError
from flip_trust.verify import VerifiedTask

_RELEASED = (
    "SELECT query.job_id, release.* FROM query JOIN release USING (job_id) WHERE query.project_id = ? "
    "AND query.question = ? AND query.void = 0 AND query.job_id != ? AND release.step = ? ORDER BY release.at LIMIT 1"
)


@dataclass(frozen=True)
class Query:
    """One question, as a steward reads it.

    Attributes:
        number: counted from 1 in the project.
        outcome: what became of it: ``answered``, ``kept back``, ``answered as before``, or a refusal's code.
    """

    number: int
    at: str
    job_id: str
    kind: str
    epsilon: float
    cohort: Cohort
    outcome: str


@dataclass(frozen=True)
class Near:
    """Which earlier question's cohort is the nearest, and how many persons are in one of the two alone."""

    number: int
    persons: int


def note(verified: VerifiedTask, now: datetime) -> Statement:
    """A question, at its first task; of later ones nothing changes."""
    spec = verified.job.spec
    cohort = spec.cohort.canonical().decode()
    values = (verified.job.job_id, spec.project_id, spec.kind, _question(spec, now), cohort, epsilon_of(spec))
    return (
        "INSERT OR IGNORE INTO query (job_id, project_id, kind, question, cohort, epsilon, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*values, now.isoformat()),
    )


def forget() -> Statement:
    """A new catalogue is of new data, and who opts out is in no answer: questions are answered anew, and debited."""
    return ("UPDATE query SET void = 1", ())


def given_before(reader: Reader, verified: VerifiedTask, now: datetime) -> dict[str, Any] | None:
    """The release that answered the very same question of the same project; None where it has to be computed."""
    spec = verified.job.spec
    if not isinstance(spec, CountSpec | StatisticsSpec) or verified.task.round:
        return None
    if isinstance(spec, StatisticsSpec) and rounds_of(spec.question) > 1:
        return None
    asked = (spec.project_id, _question(spec, now), verified.job.job_id, verified.task.step)
    rows = reader.read(_RELEASED, asked)
    return rows[0] if rows and (rows[0]["record"] is not None or rows[0]["refusal"]) else None


def answered_as(verified: VerifiedTask, before: dict[str, Any], now: datetime) -> tuple[Statement, Statement]:
    """Take a release over for a new job."""
    task = verified.task
    row = (task.job_id, task.step, task.round, verified.inputs, before["refusal"], before["record"], before["tensors"])
    return (
        ("INSERT INTO release VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, now.isoformat(), task.sum_attempt)),
        ("UPDATE query SET answer_of = ? WHERE job_id = ?", (before["job_id"], task.job_id)),
    )


def is_repeated(reader: Reader, job_id: str) -> bool:
    """Whether a job's answer was released before, for another job: it is debited nothing."""
    return bool(reader.read("SELECT 1 FROM query WHERE job_id = ? AND answer_of IS NOT NULL", (job_id,)))


def queries(reader: Reader, project_id: str, first: int = 1, most: int = -1) -> list[Query]:
    """A project's questions, oldest first: from the ``first`` on, ``most`` of them; every one unless given."""
    found = "SELECT * FROM query WHERE project_id = ? ORDER BY sequence LIMIT ? OFFSET ?"
    rows = reader.read(found, (project_id, most, first - 1))
    return [
        Query(
            number,
            row["at"],
            row["job_id"],
            row["kind"],
            row["epsilon"],
            Cohort.parse(row["cohort"].encode()),
            _outcome(reader, row),
        )
        for number, row in enumerate(rows, start=first)
    ]


def nearest(found: Iterable[Query], omop: Omop, year: int) -> Iterator[Near | None]:
    """For each question the earlier one whose cohort is another and differs by the fewest persons, by today's data.

    Args:
        found: of one project, oldest first.
        omop: the tables.
        year: the year in which ages are reckoned.

    Yields:
        None for a cohort that cannot be reckoned any more, and where no earlier one is another.
    """
    members: dict[str, frozenset[int] | None] = {}
    earlier: list[tuple[int, str]] = []
    for query in found:
        name = query.cohort.digest()
        if name not in members:
            members[name] = _members(query.cohort, omop, year)
        these = members[name]
        others = {other: number for number, other in reversed(earlier) if other != name}
        distances = [
            Near(number, len(these ^ those))
            for other, number in others.items()
            if these is not None and (those := members[other]) is not None
        ]
        yield min(distances, key=lambda near: near.persons, default=None)
        earlier.append((query.number, name))


def _question(spec: AnySpec, now: datetime) -> str:
    """What tells questions apart: everything but whom else it is put to; ages are of the year."""
    return digest(spec.model_copy(update={"trusts": ()}).canonical() + f" {now.year}".encode())


def _members(cohort: Cohort, omop: Omop, year: int) -> frozenset[int] | None:
    try:
        return frozenset(persons_in(cohort, omop, year).collect()["person_id"])
    except (SetupError, pl.exceptions.PolarsError):
        return None


def _outcome(reader: Reader, row: dict[str, Any]) -> str:
    job = (row["job_id"],)
    found = reader.read("SELECT refusal, record FROM release WHERE job_id = ? ORDER BY round DESC LIMIT 1", job)
    if found and found[0]["refusal"]:
        return str(found[0]["refusal"])
    if found:
        answered = "answered as before" if row["answer_of"] else "answered"
        return "kept back" if _is_suppressed(found[0]["record"]) else answered
    refused = reader.read("SELECT refusal FROM task WHERE job_id = ? ORDER BY received_at DESC LIMIT 1", job)
    return str((refused[0]["refusal"] if refused else None) or "under way")


def _is_suppressed(record: bytes | None) -> bool:
    try:
        return record is not None and SafeUpdate.parse(record).suppressed
    except RecordError:
        return False
