"""A hub with a long history, and its governance service for a benchmark's reviewers.

python -m benchmarks.governance_hub HUB_HOME PORT COMPONENTS PROCESSES

The service is the real one, as production runs it; a table of tokens stands in for JupyterHub's sign-in.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import rfc8785
from flip_hub.api import create_app
from flip_hub.api.authentication import SignedIn
from flip_hub.config import HubConfig
from flip_hub.database import (
    AuditHead,
    AuditRow,
    Database,
    Job,
    JobEventRow,
    Output,
    Person,
    Project,
    ProjectMember,
    ProjectWords,
    ReleaseRequest,
    Review,
    Routine,
    Submission,
    now,
    upgrade,
)
from flip_hub.database.chain import CHAIN, as_entry
from flip_hub.governance import sign_ins, trusts, witness
from flip_hub.keys import make_keys
from flip_hub.serving import run
from flip_hub.testing import FakeAuthenticator, SigningTrust, show_records
from flip_sdk.contract.airlock import OutputStatement
from flip_sdk.contract.applications import Application, DataAsked, PlannedOutput
from flip_sdk.contract.jobs import CountSpec
from flip_sdk.contract.log_entries import hash_of
from flip_sdk.contract.notices import fingerprint
from flip_sdk.contract.records import digest
from sqlalchemy import func, insert, select

PEOPLE = 2000
REVIEWERS = 50
REQUESTS = 30
JOB_EVERY = 10
"""One project in so many has a job."""
TRUSTS = ("aldgate", "brookfield")
_STATES = ("approved",) * 11 + ("closed", "rejected", "closed", "expired", "changes_requested", "suspended")
_WAIT = ("submitted", "in_review")
_EVENTS = ("project.reviewed", "job.submitted", "job.completed", "project.edited", "airlock.decided", "consent.taken")


def fill(config: HubConfig, projects: int, entries: int) -> None:
    """Make a hub: 2,000 people, 50 reviewers who check outputs too, projects with two submissions each, audit rows."""
    config.home.mkdir(parents=True, exist_ok=True)
    make_keys(config)
    database = Database.of(config)
    upgrade(database)
    _people(database)
    for number in range(REVIEWERS):
        sign_ins.begin(database, f"session-of-reviewer-{number}", f"reviewer-{number}", "password", {})
    if projects:
        _projects(database, projects)
        add_jobs(database, range(0, projects, JOB_EVERY))
        _airlock(database, projects)
    if entries:
        _audit(database, projects, entries)
        # a hub of that age has signed the roots of all days but this one
        witness.keep_up(config, database)
    database.close()


def serve(home: Path, port: int, components: Path, processes: int) -> None:
    """The governance service, as ``flip_hub.serving`` runs it; every sign-in is looked up as one of JupyterHub's is."""
    config = HubConfig(home=home, database_url=os.environ.get("FLIP_HUB_DATABASE_URL", ""))
    sign_in = FakeAuthenticator()
    names = {f"token-{number}": f"reviewer-{number}" for number in range(REVIEWERS)}
    sign_in.tokens = {token: SignedIn(name, session=f"session-of-{name}") for token, name in names.items()}
    run(lambda: create_app(config, sign_in, components=components), "127.0.0.1", port, processes)


def requested(projects: int) -> list[int]:
    """Numbers of the projects that have a request at the airlock."""
    return [number for number in range(projects) if state_of(number) == "approved"][:REQUESTS]


def _people(database: Database) -> None:
    with database.write(Routine("a benchmark fills the hub")) as session:
        people = [(f"person-{n}", f"Organisation {n % 40}", ["researcher"]) for n in range(PEOPLE)]
        roles = ["governance reviewer", "output checker"]
        people += [(f"reviewer-{n}", f"Board {n % 10}", roles) for n in range(REVIEWERS)]
        rows = [
            {"name": name, "display_name": name.title(), "organisation": where, "roles": may, "active": True}
            for name, where, may in people
        ]
        session.execute(insert(Person), rows)
    show_records(database, *(name for name, _, may in people if may == roles))
    for name in TRUSTS:
        enrolment = SigningTrust(name).enrolment
        trusts.enrol(database, enrolment, fingerprint(enrolment), by="olga")


def _projects(database: Database, count: int) -> None:
    with database.write(Routine("a benchmark fills the hub")) as session:
        for begin in range(0, count, 1000):
            numbers = range(begin, min(begin + 1000, count))
            rows = [_project(number) for number in numbers]
            session.execute(insert(Project), rows)
            session.execute(insert(ProjectMember), list(_members(rows)))
            words = [{"project_id": row["project_id"], "words": _words(row)} for row in rows]
            session.execute(insert(ProjectWords), words)
            session.execute(insert(Submission), [_submission(row, version) for row in rows for version in (1, 2)])
            session.execute(insert(Review), [_review(row, n) for row in rows for n in range(2) if _decided(row, n)])


def state_of(number: int) -> str:
    """A project's state."""
    # one in twenty waits for reviewers
    return _WAIT[number // 20 % 2] if number % 20 == 0 else _STATES[number % len(_STATES)]


def _project(number: int) -> dict[str, Any]:
    return {
        "project_id": f"project-{number}",
        "state": state_of(number),
        "application": _application(number, "asked for more"),
        "owner": f"person-{number % PEOPLE}",
        "version": 2,
        "created_at": now() - timedelta(hours=number),
        "expires_at": now() + timedelta(days=40 + number % 500),
        "state_reason": "",
        "workspaces_closed_at": now(),
    }


def _application(number: int, change: str) -> Application:
    subject = ("lung nodules", "breast density", "sepsis", "retinopathy", "stroke")[number % 5]
    long = f"Whether a model can tell {subject} apart early enough to be of use to people in hospitals, {change}. " * 5
    return Application(
        title=f"Study {number} of {subject}",
        lay_summary=long,
        public_benefit=long,
        technical_summary=long,
        request_category="efficacy",
        organisation=f"Organisation {number % 40}",
        sector="academic",
        article_6="6_1_e",
        article_9="9_2_j",
        confidentiality="not_engaged",
        opt_out="applied",
        sensitivity="de_personalised",
        trusts=TRUSTS,
        team=tuple(f"person-{(number + step) % PEOPLE}" for step in (7, 19, 40)),
        epsilon=10.0,
        expires_at=now() + timedelta(days=90),
        data=tuple(DataAsked(trust=trust, what=f"Scans of {subject}", why="To train on") for trust in TRUSTS),
        planned_outputs=(PlannedOutput(kind="model", audience="publication", description="One model"),),
    )


def _members(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        for name in dict.fromkeys((row["owner"], *row["application"].team)):
            yield {"project_id": row["project_id"], "person": name}


def _words(row: dict[str, Any]) -> str:
    application = row["application"]
    return "\n".join((application.title, row["project_id"], row["owner"], application.organisation)).casefold()


def _submission(row: dict[str, Any], version: int) -> dict[str, Any]:
    number = int(row["project_id"].partition("-")[2])
    return {
        "project_id": row["project_id"],
        "version": version,
        "application": row["application"] if version > 1 else _application(number, "with less"),
        "submitted_by": row["owner"],
        "submitted_at": row["created_at"],
    }


def _decided(row: dict[str, Any], place: int) -> bool:
    return row["state"] != "submitted" and (row["state"] != "in_review" or place == 0)


def _review(row: dict[str, Any], place: int) -> dict[str, Any]:
    number = (int(row["project_id"].partition("-")[2]) + place) % REVIEWERS
    return {
        "project_id": row["project_id"],
        "version": 2,
        "reviewer": f"reviewer-{number}",
        "organisation": f"Board {number % 10}",
        "decision": "approve",
        "comment": "Clear.",
        "declared": "none",
        "decided_at": row["created_at"],
    }


def add_jobs(database: Database, numbers: Sequence[int]) -> None:
    """A count that ran, with its steps, for each of these projects."""
    with database.write(Routine("a benchmark fills the hub")) as session:
        session.execute(insert(Job), [_job(number) for number in numbers])
        session.execute(insert(JobEventRow), [_step(number, place) for number in numbers for place in range(1, 9)])


def _job(number: int) -> dict[str, Any]:
    spec = CountSpec(project_id=f"project-{number}")
    return {
        "job_id": f"job-{number}",
        "project_id": spec.project_id,
        "kind": spec.kind,
        "spec": spec,
        "spec_digest": spec.digest(),
        "state": "completed",
        "trusts": list(TRUSTS),
        "submitted_by": f"person-{number % PEOPLE}",
        "idempotency_key": "k1",
        "submitted_at": now() - timedelta(hours=number),
        "ended_at": now(),
    }


def _step(number: int, place: int) -> dict[str, Any]:
    return {
        "job_id": f"job-{number}",
        "sequence": place,
        "at": now(),
        "event": "task.answered",
        "trust": TRUSTS[place % 2],
        "words": "Answered",
        "numbers": {},
    }


def _airlock(database: Database, projects: int) -> None:
    """Requests that wait for output checkers, three files each, checked already."""
    with database.write(Routine("a benchmark fills the hub")) as session:
        for number in requested(projects):
            project = session.get_one(Project, f"project-{number}")
            request = ReleaseRequest(
                request_id=f"request-{project.project_id}",
                project_id=project.project_id,
                purpose="A paper",
                requested_by=project.owner,
                requested_at=now(),
                idempotency_key="k1",
                wanted=digest(b"asked"),
                checked_at=now(),
            )
            session.add(request)
            for place in range(3):
                request.outputs.append(_output(project, place))


def _output(project: Project, place: int) -> Output:
    content = digest(f"{project.project_id}/{place}".encode())
    path = f"tables/{place}.csv"
    return Output(
        output_id=f"output-{project.project_id}-{place}",
        project_id=project.project_id,
        place=place,
        path=path,
        content=content,
        statement=OutputStatement(path=path, content=content, title=f"Table {place}"),
        state="checked",
    )


def _audit(database: Database, projects: int, count: int) -> None:
    """A valid chain over the last year, after what is there."""
    with database.write(Routine("a benchmark fills the hub")) as session:
        head = session.get_one(AuditHead, CHAIN)
        first, begun = head.sequence + 1, now() - timedelta(days=365)
        rows, details = list[dict[str, Any]](), rfc8785.dumps({"version": 2}).decode()
        for number in range(count):
            row = {
                "sequence": first + number,
                "at": (begun + timedelta(seconds=number * 30)).isoformat(),
                "actor": f"person-{number % PEOPLE}",
                "event": _EVENTS[number % len(_EVENTS)],
                "subject": f"project/project-{number % max(projects, 1)}",
                "details": {"version": 2},
                "previous": head.hash,
            }
            # what this writes is canonical already (ASCII, whole numbers); the last row is held against RFC 8785 below
            content = json.dumps(row, sort_keys=True, separators=(",", ":")).encode()
            head.hash, head.sequence = hashlib.sha256(content).hexdigest(), first + number
            rows.append(row | {"details": details, "hash": head.hash})
            if len(rows) == 20_000:
                session.execute(insert(AuditRow.__table__), rows)
                rows = []
        if rows:
            session.execute(insert(AuditRow.__table__), rows)
        last = session.get_one(AuditRow, head.sequence)
        if (
            hash_of(as_entry(last)) != last.hash
            or session.scalar(select(func.count(AuditRow.sequence))) != last.sequence
        ):
            raise RuntimeError("the audit chain that was filled in does not hold")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
