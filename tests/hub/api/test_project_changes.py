"""A project's changes: each part's mark moves with what shows of it, and a question waits for the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flip_hub.api import create_app
from flip_hub.dashboards.versions import draft
from flip_hub.database import Budget, Job, JobEventRow, Project, Routine, now
from flip_hub.governance import intake
from flip_sdk.contract.api import ProjectChanges
from flip_sdk.contract.states import JobState

ADDRESS = "/services/flip/api/projects/cytology/changes"
PLAYED = Routine("a test plays somebody")


def asked(hub: Any, after: str = "", wait: float = 0, who: str = "ada") -> ProjectChanges:
    return ProjectChanges.parse(hub.client(who).get(f"{ADDRESS}?after={after}&wait={wait}").content)


def a_step(hub: Any, session: Any, job_id: str) -> None:
    session.add(JobEventRow(job_id=job_id, sequence=4, at=now(), event="job.executing"))


def an_end(hub: Any, session: Any, job_id: str) -> None:
    session.get_one(Job, job_id).state = JobState.FAILED


def a_debit(hub: Any, session: Any, job_id: str) -> None:
    session.add(
        Budget(trust="aldgate", project_id="cytology", epsilon=10, delta=1e-6, spent=1, releases=1, reported_at=now())
    )


def a_reason(hub: Any, session: Any, job_id: str) -> None:
    session.get_one(Project, "cytology").state_reason = "A question of the board."


def a_dashboard(hub: Any, session: Any, job_id: str) -> None:
    row = draft(session, "cytology", "report")
    row.notebook, row.jobs, row.frames = "sha256:" + "0" * 64, [], []
    row.published_by, row.published_at = "ada", now()


CHANGES: dict[str, tuple[Callable[[Any, Any, str], None], str]] = {
    "a step": (a_step, "jobs"),
    "an end": (an_end, "jobs"),
    "a debit": (a_debit, "budget"),
    "a reason": (a_reason, "project"),
    "a dashboard": (a_dashboard, "dashboards"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_each_change_shows_in_its_part_alone(hub, what: str) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    first = asked(hub)
    assert set(first.changed) == {"project", "budget", "jobs", "releases", "dashboards"}
    assert asked(hub, first.mark).changed == ()
    happens, part = CHANGES[what]
    with hub.office.database.write(PLAYED) as session:
        happens(hub, session, job.job_id)

    assert asked(hub, first.mark).changed == (part,)


def test_a_question_waits_for_the_next_change(hub) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    first, pages = asked(hub), []

    def watch() -> None:
        app = create_app(hub.office.config, hub.authenticator, components=hub.components)
        with hub.client("ada", app=app) as client:
            pages.append(ProjectChanges.parse(client.get(f"{ADDRESS}?after={first.mark}&wait=20").content))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with hub.office.database.write(PLAYED) as session:
        a_step(hub, session, job.job_id)
    watcher.join(15)

    assert [page.changed for page in pages] == [("jobs",)]
    assert asked(hub, pages[0].mark, wait=0.1).changed == ()


def test_nobody_else_is_told(hub) -> None:
    hub.ready()

    assert hub.client("bea").get(ADDRESS).status_code == 404
    assert hub.client("ada").get(f"{ADDRESS}?after=%27").status_code == 422
