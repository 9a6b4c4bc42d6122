"""The ledger's rows: what was debited to whom, and what that adds up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flip_sdk.accounting import price
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.caps import Cap
from flip_sdk.accounting.composition import alone, counted, epsilon_of, stored_event
from flip_sdk.accounting.events import AnyEvent
from flip_sdk.contract.notices import MOST_ENTRIES, LedgerEntry, LedgerMirror

from flip_trust.audit import Entry, Reader
from flip_trust.database import Transaction

_MOST_WRITTEN = 1e6
"""A larger epsilon says no more than this one, and an infinity cannot be written in JSON."""


@dataclass(frozen=True)
class Line:
    """One row, as it is shown."""

    at: str
    project_id: str
    job_id: str
    purpose: str
    event: AnyEvent


def events_of(reader: Reader, project_id: str | None = None) -> dict[AnyEvent, int]:
    """Events debited to a project, or without one to the whole data set, and how often each."""
    where, parameters = ("WHERE project_id = ?", (project_id,)) if project_id is not None else ("", ())
    rows = reader.read(f"SELECT event, count(*) AS times FROM ledger {where} GROUP BY event", parameters)  # noqa: S608
    return {stored_event(row["event"]): int(row["times"]) for row in rows}


def spent(reader: Reader, delta: float, project_id: str | None = None) -> float:
    """Epsilon at ``delta`` of everything debited to a project, or to the whole data set."""
    return epsilon_of(events_of(reader, project_id), delta)


def spent_alone(reader: Reader, delta: float, project_id: str | None = None) -> float:
    """The same if every other Trust worked with the hub, so that of shared noise only this Trust's own counted."""
    return epsilon_of(alone(events_of(reader, project_id)), delta)


def covers(reader: Reader, debits: Iterable[Debit], cap: Cap, project_id: str | None = None) -> bool:
    """Whether a cap covers these debits after everything debited to a project, or to the whole data set."""
    return price.covers(cap, events_of(reader, project_id), counted(debit.event for debit in debits))


def mirror(reader: Reader, cap: Cap, project_id: str | None = None) -> LedgerMirror:
    """The ledger of a project, or of the whole data set, as the hub is told it."""
    events = events_of(reader, project_id)
    entries = [LedgerEntry(event=event, times=times) for event, times in events.items()]
    return LedgerMirror(
        epsilon=cap.epsilon,
        epsilon_alone=cap.epsilon_alone,
        delta=cap.delta,
        spent=min(epsilon_of(events, cap.delta), _MOST_WRITTEN),
        spent_alone=min(epsilon_of(alone(events), cap.delta), _MOST_WRITTEN),
        entries=tuple(entries[:MOST_ENTRIES]),
        complete=len(entries) <= MOST_ENTRIES,
    )


def is_debited(reader: Reader, job_id: str) -> bool:
    """Whether a job was debited."""
    return bool(reader.read("SELECT 1 FROM ledger WHERE job_id = ?", (job_id,)))


def debit(transaction: Transaction, project_id: str | None, job_id: str, debits: Iterable[Debit], actor: str) -> None:
    """Write a job's debits, with their audit event."""
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


def _line(row: dict[str, Any]) -> Line:
    return Line(row["at"], row["project_id"] or "", row["job_id"], row["purpose"], stored_event(row["event"]))
