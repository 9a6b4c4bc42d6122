"""A closed project is purged: what was kept for it alone is deleted, and the hub is told what, by count and digest.

The ledger and the audit log stay, and so do an answer's place and inputs: a job that is asked again is refused,
and never computed anew with other noise for the same debit.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flip_sdk.contract.closing import PurgedItem, PurgeOrder
from flip_sdk.contract.notices import PurgeNotice
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import PublicKey, verify
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import SignatureError

from flip_trust import consent, taskbook
from flip_trust.audit import Entry, Reader
from flip_trust.cohort import select as cohorts
from flip_trust.config import TrustConfig
from flip_trust.database import Database, Statement

AGENT = "the hub closed the project"
_JOBS = "SELECT job_id FROM job WHERE project_id = ?"


def verified(jws: str, hub: PublicKey, config: TrustConfig, now: datetime) -> PurgeOrder:
    """An order of the hub's governance, for this Trust, made just now.

    Raises:
        SignatureError: it is not.
        RecordError: properly signed, but not an order.
    """
    order = verify(jws, hub, PurgeOrder)
    if order.trust != config.name:
        raise SignatureError("The order is for another Trust.")
    if abs(now - order.issued_at) > timedelta(seconds=config.clock_skew):
        raise SignatureError("The order is too old or too far ahead.", "Set the Trust's clock by NTP.")
    return order


def obey(
    database: Database, config: TrustConfig, order: PurgeOrder, notice_id: str, now: datetime
) -> PurgeNotice | None:
    """Purge, once nothing of the project runs any more; an order that was obeyed before is answered as it was.

    Args:
        database: the Trust's.
        config: its settings.
        order: of the hub.
        notice_id: of the answer.
        now: the present.

    Returns:
        The answer; None while jobs of the project still end: they do, as the Trust leaves it first.

    Raises:
        LedgerUnavailableError: it cannot be written.
    """
    known = database.read("SELECT record FROM purge WHERE order_id = ?", (order.order_id,))
    if known:
        # a crash may have come before the files went
        _delete_files(database, config, order.project_id)
        kept = PurgeNotice.parse(known[0]["record"])
        return kept.model_copy(update={"notice_id": notice_id, "issued_at": now})
    _leave(database, order, now)
    if _is_running(database, order.project_id):
        return None
    items = _items(database, config, order.project_id)
    notice = PurgeNotice(
        trust=config.name,
        notice_id=notice_id,
        project_id=order.project_id,
        order_id=order.order_id,
        purged_at=now,
        items=items,
        issued_at=now,
    )
    _delete(database, order, notice)
    _delete_files(database, config, order.project_id)
    return notice


def _leave(database: Database, order: PurgeOrder, now: datetime) -> None:
    """No further task of the project is taken, and what runs of it is ended by the next housekeeping."""
    with database.transaction() as transaction:
        standing = consent.standing(transaction, order.project_id)
        if standing is None or standing.state == "left":
            return
        transaction.write(
            Entry("agent", "consent.left", f"project/{order.project_id}", {"reason": AGENT, "order": order.order_id}),
            (
                "UPDATE consent SET state = 'left', decided_by = ?, decided_at = ?, announced = 0 WHERE project_id = ?",
                (AGENT, now.isoformat(), order.project_id),
            ),
        )


def _delete(database: Database, order: PurgeOrder, notice: PurgeNotice) -> None:
    refused = RefusalCode.NOT_OPTED_IN.value
    statements: tuple[Statement, ...] = (
        (
            f"UPDATE release SET refusal = ?, record = NULL, tensors = NULL WHERE job_id IN ({_JOBS})",  # noqa: S608
            (refused, order.project_id),
        ),
        (f"UPDATE sharing SET secret = NULL, roster = NULL WHERE job_id IN ({_JOBS})", (order.project_id,)),  # noqa: S608
        ("DELETE FROM told_count WHERE project_id = ?", (order.project_id,)),
        ("UPDATE seen_job SET persons = NULL WHERE project_id = ?", (order.project_id,)),
        (
            "INSERT INTO purge VALUES (?, ?, ?, ?)",
            (order.order_id, order.project_id, notice.canonical().decode(), notice.purged_at.isoformat()),
        ),
    )
    details: dict[str, Any] = {"order": order.order_id, "items": [one.model_dump(mode="json") for one in notice.items]}
    with database.transaction() as transaction:
        transaction.write(Entry("agent", "project.purged", f"project/{order.project_id}", details), *statements)


def _delete_files(reader: Reader, config: TrustConfig, project_id: str) -> None:
    for job_id in _jobs(reader, project_id):
        cohorts.delete(config.jobs, job_id)


def _is_running(reader: Reader, project_id: str) -> bool:
    jobs = reader.read("SELECT 1 FROM job WHERE project_id = ? AND state = 'running' LIMIT 1", (project_id,))
    states = [state.value for state in taskbook.IN_FLIGHT]
    tasks = reader.read("SELECT 1 FROM task WHERE project_id = ? AND state IN (?, ?) LIMIT 1", (project_id, *states))
    return bool(jobs or tasks)


def _items(reader: Reader, config: TrustConfig, project_id: str) -> tuple[PurgedItem, ...]:
    folders = [config.jobs / job_id for job_id in _jobs(reader, project_id)]
    files = sorted(path for folder in folders for path in _files(folder))
    answers = reader.read(
        f"SELECT record, tensors FROM release WHERE job_id IN ({_JOBS}) AND record IS NOT NULL",  # noqa: S608
        (project_id,),
    )
    parts = [part for row in answers for part in row.values() if part]
    kept = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    told = reader.read("SELECT cohort, at FROM told_count WHERE project_id = ? ORDER BY at", (project_id,))
    keys = reader.read(
        f"SELECT job_id FROM sharing WHERE job_id IN ({_JOBS}) AND roster IS NOT NULL ORDER BY job_id",  # noqa: S608
        (project_id,),
    )
    numbers = [list(row.values()) for row in told]
    sized = reader.read(
        "SELECT job_id FROM seen_job WHERE project_id = ? AND persons IS NOT NULL ORDER BY job_id", (project_id,)
    )
    return (
        PurgedItem(
            what="files of frozen cohorts",
            count=len(files),
            size=sum(path.stat().st_size for path in files),
            contents=_digest([str(path.relative_to(config.jobs)) for path in files]),
        ),
        PurgedItem(
            what="answers kept to be sent again",
            count=len(answers),
            size=sum(map(len, kept)),
            contents=_digest(sorted(map(digest, kept))),
        ),
        PurgedItem(what="numbers of persons told", count=len(told), contents=_digest(numbers)),
        PurgedItem(what="keys of shared noise", count=len(keys), contents=_digest([row["job_id"] for row in keys])),
        # of the jobs' names alone: a digest of so few possible numbers would tell them
        PurgedItem(what="exact sizes of cohorts", count=len(sized), contents=_digest([row["job_id"] for row in sized])),
    )


def _jobs(reader: Reader, project_id: str) -> list[str]:
    return [row["job_id"] for row in reader.read(f"{_JOBS} ORDER BY job_id", (project_id,))]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def _digest(content: object) -> str:
    return digest(json.dumps(content, separators=(",", ":")).encode())
