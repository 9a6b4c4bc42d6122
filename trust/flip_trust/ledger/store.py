"""The ledger's rows: what was debited to whom, and what that adds up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.caps import Cap
from flip_sdk.accounting.composition import alone, counted, epsilon_of_sum, stored_event, sum_of
from flip_sdk.accounting.events import AnyEvent
from flip_sdk.accounting.price import covers_sums
from flip_sdk.contract.notices import MOST_ENTRIES, LedgerEntry, LedgerMirror

from flip_trust.audit import Entry, Reader
from flip_trust.database import Transaction
from flip_trust.errors import SetupError
from flip_trust.ledger.restored import is_unreconciled
from flip_trust.ledger.sums import sums_of

_MOST_WRITTEN = 1e6
"""A larger epsilon says no more than this one, and an infinity cannot be written in JSON."""
_RECONCILE = "The data steward runs: flip-trust ledger reconcile."


@dataclass(frozen=True)
class Line:
    """One row, as it is shown."""

    at: str
    project_id: str
    job_id: str
    purpose: str
    event: AnyEvent


def events_of(reader: Reader, project_id: str | None = None, most: int = -1) -> dict[AnyEvent, int]:
    """Events debited to a project, or without one to the whole data set, and how often each; at most so many."""
    where, parameters = ("WHERE project_id = ?", (project_id,)) if project_id is not None else ("", ())
    query = f"SELECT event, count(*) AS times FROM ledger {where} GROUP BY event LIMIT ?"  # noqa: S608
    rows = reader.read(query, (*parameters, most))
    return {stored_event(row["event"]): int(row["times"]) for row in rows}


def spent(reader: Reader, delta: float, project_id: str | None = None) -> float:
    """Epsilon at ``delta`` of everything debited to a project, or to the whole data set."""
    return epsilon_of_sum(sums_of(reader, project_id).stated, delta)


def spent_alone(reader: Reader, delta: float, project_id: str | None = None) -> float:
    """The same if every other Trust worked with the hub, so that of shared noise only this Trust's own counted."""
    return epsilon_of_sum(sums_of(reader, project_id).alone, delta)


def covers(reader: Reader, debits: Iterable[Debit], cap: Cap, project_id: str | None = None) -> bool:
    """Whether a cap covers these debits after everything debited to a project, or to the whole data set."""
    sums, job = sums_of(reader, project_id), counted(debit.event for debit in debits)
    return covers_sums(cap, sums.stated + sum_of(job), sums.alone + sum_of(alone(job)))


def mirror(reader: Reader, cap: Cap, project_id: str | None = None) -> LedgerMirror:
    """The ledger of a project, or of the whole data set, as the hub is told it."""
    events = events_of(reader, project_id, MOST_ENTRIES + 1)
    entries = [LedgerEntry(event=event, times=times) for event, times in events.items()]
    return LedgerMirror(
        epsilon=cap.epsilon,
        epsilon_alone=cap.epsilon_alone,
        delta=cap.delta,
        spent=min(spent(reader, cap.delta, project_id), _MOST_WRITTEN),
        spent_alone=min(spent_alone(reader, cap.delta, project_id), _MOST_WRITTEN),
        entries=tuple(entries[:MOST_ENTRIES]),
        complete=len(entries) <= MOST_ENTRIES,
    )


def is_debited(reader: Reader, job_id: str) -> bool:
    """Whether a job was debited."""
    return bool(reader.read("SELECT 1 FROM ledger WHERE job_id = ?", (job_id,)))


def debit(transaction: Transaction, project_id: str | None, job_id: str, debits: Iterable[Debit], actor: str) -> None:
    """Write a job's debits, with their audit event.

    Raises:
        SetupError: the Trust was restored, and its ledger may have forgotten debits.
    """
    if is_unreconciled(transaction):
        raise SetupError("This Trust was restored from a backup, and its ledger is not reconciled.", _RECONCILE)
    write(transaction, project_id, job_id, debits, actor)


def write(transaction: Transaction, project_id: str | None, job_id: str, debits: Iterable[Debit], actor: str) -> None:
    """Write debits even where the ledger is not reconciled: for the reconciliation itself."""
    lines = [(item.purpose, item.event) for item in debits]
    details = {purpose: event.model_dump(mode="json") for purpose, event in lines}
    at = datetime.now(UTC).isoformat()
    transaction.write(
        Entry(actor, "ledger.debited", f"job/{job_id}", {"project": project_id, "events": details}),
        *(
            (
                "INSERT INTO ledger (at, project_id, job_id, purpose, event) VALUES (?, ?, ?, ?, ?)",
                (at, project_id, job_id, purpose, event.canonical().decode()),
            )
            for purpose, event in lines
        ),
    )


def lines(reader: Reader) -> list[Line]:
    """Every row, oldest first."""
    return [_line(row) for row in reader.read("SELECT * FROM ledger ORDER BY sequence")]


def lines_of(
    reader: Reader, *, project_id: str | None = None, job_id: str | None = None, most: int = -1, offset: int = 0
) -> list[Line]:
    """Rows of a project, of a job, or without either of the whole data set: the newest first."""
    where, parameters = _where(project_id, job_id)
    sql = f"SELECT * FROM ledger WHERE {where} ORDER BY sequence DESC LIMIT ? OFFSET ?"  # noqa: S608
    return [_line(row) for row in reader.read(sql, (*parameters, most, offset))]


def count(reader: Reader, project_id: str | None = None) -> int:
    """How many rows a project or the whole data set has."""
    where, parameters = _where(project_id, None)
    return int(reader.read(f"SELECT count(*) AS n FROM ledger WHERE {where}", parameters)[0]["n"])  # noqa: S608


def _where(project_id: str | None, job_id: str | None) -> tuple[str, tuple[str, ...]]:
    if job_id is not None:
        return "job_id = ?", (job_id,)
    return ("project_id = ?", (project_id,)) if project_id is not None else ("1", ())


def _line(row: dict[str, Any]) -> Line:
    return Line(row["at"], row["project_id"] or "", row["job_id"], row["purpose"], stored_event(row["event"]))
