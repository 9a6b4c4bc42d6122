"""The JSON API over HTTP: statuses, errors in words, confinement, uploads, events."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient
from flip_hub.api import create_app
from flip_hub.dashboards import layout, versions
from flip_hub.database import Job, JobEventRow, JobResultRow, Routine, now
from flip_hub.errors import UnavailableError
from flip_hub.governance import intake
from flip_sdk.contract.api import (
    DashboardView,
    ErrorBody,
    JobEvents,
    JobResult,
    JobView,
    Me,
    ProjectView,
    TrustBudget,
    TrustCatalogue,
)
from flip_sdk.contract.applications import NewProject
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import JobState, ProjectState
from pydantic import TypeAdapter

API = "/services/flip/api"
NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def _post(client: TestClient, path: str, body: Any = None) -> Any:
    content = body.canonical() if hasattr(body, "canonical") else json.dumps(body or {})
    return client.post(f"{API}/{path}", content=content, headers={"content-type": "application/json"})


APPROVE = {"decision": "approve", "declares": "none", "comment": "ok"}


def _error(response: Any, status: int) -> ErrorBody:
    assert response.status_code == status, response.text
    body = ErrorBody.parse(response.content)
    assert body.message
    return body


def _upload(client: TestClient, content: bytes, project_id: str = "cytology") -> Any:
    return client.put(f"{API}/projects/{project_id}/blobs/{digest(content)}", content=content)


def test_who_am_i(hub) -> None:
    me = Me.parse(hub.client("ada", workspace="cytology").get(f"{API}/me").content)
    assert (me.name, me.organisation, me.workspace_project) == ("ada", "Northbridge University", "cytology")


def test_nobody_is_signed_in(hub) -> None:
    for path in ("me", "projects", "jobs/x", "openapi.json"):
        assert _error(hub.client().get(f"{API}/{path}"), 401).code == "not_signed_in"
    assert _error(hub.client().get(f"{API}/me", headers={"Authorization": "token forged"}), 401)


def test_a_person_whom_governance_does_not_know(hub) -> None:
    assert _error(hub.client("stranger").get(f"{API}/me"), 403).policy == "people.known"


def test_a_hub_that_does_not_answer(hub) -> None:
    class Away:
        async def by_token(self, token: str, session_id: str = "") -> None:
            raise UnavailableError("The hub's sign-in does not answer.", "Try again in a moment.")

    client = hub.client("ada")
    hub.authenticator.by_token = Away().by_token
    _error(client.get(f"{API}/me"), 503)


def test_health_needs_no_sign_in(hub) -> None:
    assert hub.client().get(f"{API}/health").json() == {"status": "ok"}


def test_openapi_is_for_signed_in_people(hub) -> None:
    paths = hub.client("sam").get(f"{API}/openapi.json").json()["paths"]
    assert f"{API}/projects/{{project_id}}/jobs" in paths


def test_from_application_to_approval(hub) -> None:
    ada = hub.client("ada")
    draft = NewProject(project_id="cytology", application=hub.application())
    assert _post(ada, "projects", draft).status_code == 201
    edited = ada.put(f"{API}/projects/cytology", json=hub.application(title="Cytology II").model_dump(mode="json"))
    assert ProjectView.parse(edited.content).application.title == "Cytology II"
    assert ProjectView.parse(_post(ada, "projects/cytology/submit").content).state is ProjectState.SUBMITTED
    for reviewer in ("rufus", "mina"):
        response = _post(hub.client(reviewer), "projects/cytology/reviews", APPROVE)
    assert ProjectView.parse(response.content).state is ProjectState.APPROVED
    assert [p["project_id"] for p in ada.get(f"{API}/projects").json()] == ["cytology"]
    assert hub.client("bea").get(f"{API}/projects").json() == []
    suspended = _post(hub.client("olga"), "projects/cytology/state", {"state": "suspended", "reason": "Asked to."})
    assert ProjectView.parse(suspended.content).state is ProjectState.SUSPENDED


def test_a_denial_names_its_policy_and_is_audited(hub) -> None:
    hub.submitted()
    body = _error(_post(hub.client("nora"), "projects/cytology/reviews", APPROVE), 403)
    assert body.policy == "projects.review_own_organisation"
    assert body.mend
    assert hub.events()[-1] == "access.denied"


def test_other_peoples_projects_do_not_exist(hub) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    bea = hub.client("bea")
    here, nowhere = "projects/cytology", "projects/nothing"
    for path in (here, f"{here}/budget", f"{here}/catalogue", f"{here}/jobs", f"{here}/dashboards"):
        theirs = bea.get(f"{API}/{path}")
        other = bea.get(f"{API}/{path.replace(here, nowhere)}")
        assert theirs.status_code == other.status_code == 404
        assert theirs.text.replace("cytology", "nothing") == other.text
    for path in ("", "/events", "/result"):
        assert bea.get(f"{API}/jobs/{job.job_id}{path}").status_code == 404
    _error(_post(bea, "projects/cytology/jobs", hub.count()), 404)
    _error(_upload(bea, b"x"), 404)


def test_a_workspace_is_confined_to_its_project(hub) -> None:
    hub.ready("one")
    hub.ready("two")
    inside = hub.client("ada", workspace="one")
    assert [p["project_id"] for p in inside.get(f"{API}/projects").json()] == ["one"]
    for path in ("projects/two", "projects/two/budget", "projects/two/jobs"):
        assert _error(inside.get(f"{API}/{path}"), 403).policy == "people.workspace_confined"
    _error(_post(inside, "projects/two/jobs", hub.count("two")), 403)
    assert _post(inside, "projects/one/jobs", hub.count("one")).status_code == 201
    job = intake.submit_job(hub.office, hub.who("ada"), "two", hub.count("two"))
    for path in ("", "/events", "/result"):
        _error(inside.get(f"{API}/jobs/{job.job_id}{path}"), 403)
    _error(_post(inside, "projects", NewProject(project_id="three", application=hub.application())), 403)


def test_bad_bodies_are_told_what_is_wrong(hub) -> None:
    hub.ready()
    ada = hub.client("ada")
    body = _error(_post(ada, "projects/cytology/jobs", {"spec": {"kind": "train"}, "idempotency_key": "k"}), 422)
    assert "spec.train.label" in body.message
    _error(ada.post(f"{API}/projects", content=b"{", headers={"content-type": "application/json"}), 422)
    _error(ada.get(f"{API}/projects/NOT_A_NAME"), 422)
    _error(ada.get(f"{API}/jobs/x/events?wait=21"), 422)


def test_violations_come_all_at_once(hub) -> None:
    hub.ready()
    wanted = hub.count(trusts=("elsewhere",), epsilon=11)
    body = _error(_post(hub.client("ada"), "projects/cytology/jobs", wanted), 422)
    assert {violation.rule for violation in body.violations} == {"trust_not_in_application", "epsilon_over_project"}


def test_an_expired_project_is_refused_with_the_reason(hub) -> None:
    hub.expired()
    ada = hub.client("ada")
    for response in (
        _post(ada, "projects/cytology/jobs", hub.count()),
        _upload(ada, b"x"),
        ada.get(f"{API}/projects/cytology/blobs/{digest(b'x')}"),
        ada.get(f"{API}/projects/cytology/dashboards"),
    ):
        body = _error(response, 409)
        assert body.code == "not_now"
        assert "expired" in body.message
    assert ada.get(f"{API}/projects/cytology").json()["state"] == "expired"


def test_uploads_are_the_projects_own(hub) -> None:
    hub.ready("one", team=("alan",))
    hub.ready("two", owner="bea", organisation="Southport University")
    ada, bea = hub.client("ada"), hub.client("bea")
    assert _upload(ada, b"weights", "one").status_code == 204
    assert hub.client("alan").get(f"{API}/projects/one/blobs/{digest(b'weights')}").content == b"weights"
    _error(bea.get(f"{API}/projects/two/blobs/{digest(b'weights')}"), 404)
    wrong = ada.put(f"{API}/projects/one/blobs/{digest(b'weights')}", content=b"others")
    assert _error(wrong, 422).code == "invalid"
    _error(ada.put(f"{API}/projects/one/blobs/nonsense", content=b"x"), 422)


def test_uploads_and_bodies_have_a_limit(make_hub, monkeypatch) -> None:
    from flip_hub.api import guard
    from flip_hub.governance import uploads

    hub = make_hub()
    hub.ready()
    monkeypatch.setattr(guard, "MAX_BODY_BYTES", 1000)
    _error(_post(hub.client("ada"), "projects", {"x": "y" * 2000}), 413)
    assert _upload(hub.client("ada"), b"a" * 2000).status_code == 204
    monkeypatch.setattr(uploads, "check", lambda *_: 10)
    _error(_upload(hub.client("ada"), b"b" * 11), 413)


def test_budget_and_catalogue(hub) -> None:
    hub.approved()
    ada = hub.client("ada")
    budgets = TypeAdapter(list[TrustBudget])
    before = budgets.validate_json(ada.get(f"{API}/projects/cytology/budget").content)
    assert [(b.trust, b.consent, b.online) for b in before] == [
        ("aldgate", "none", False),
        ("brookfield", "none", False),
    ]
    hub.notice(hub.trusts["aldgate"].consent("cytology"))
    (after, _) = budgets.validate_json(ada.get(f"{API}/projects/cytology/budget").content)
    assert (after.consent, after.online, after.epsilon, after.spent) == ("opted_in", True, 10.0, 0.0)
    assert ada.get(f"{API}/projects/cytology/catalogue").json() == []
    hub.notice(hub.trusts["aldgate"].catalogue())
    listed = TypeAdapter(list[TrustCatalogue]).validate_json(ada.get(f"{API}/projects/cytology/catalogue").content)
    assert [(c.trust, c.persons) for c in listed] == [("aldgate", 140)]


def test_a_jobs_life_over_the_api(hub) -> None:
    hub.ready()
    ada = hub.client("ada")
    response = _post(ada, "projects/cytology/jobs", hub.count())
    assert response.status_code == 201
    job = JobView.parse(response.content)
    assert JobView.parse(_post(ada, "projects/cytology/jobs", hub.count()).content).job_id == job.job_id
    _error(_post(ada, "projects/cytology/jobs", hub.count(epsilon=0.7)), 409)
    _error(ada.get(f"{API}/jobs/{job.job_id}/result"), 409)
    assert _post(ada, f"jobs/{job.job_id}/cancel").status_code == 200
    _complete(hub, job.job_id)
    result = JobResult.parse(ada.get(f"{API}/jobs/{job.job_id}/result").content)
    assert result.counts == {"aldgate": 120, "brookfield": None}
    assert result.completed_at == JobView.parse(ada.get(f"{API}/jobs/{job.job_id}").content).ended_at
    assert [j["job_id"] for j in hub.client("rufus").get(f"{API}/projects/cytology/jobs").json()] == [job.job_id]
    _error(hub.client("rufus").get(f"{API}/jobs/{job.job_id}/result"), 403)


def test_events_are_paged_by_their_sequence(hub) -> None:
    hub.ready()
    ada = hub.client("ada")
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    page = JobEvents.parse(ada.get(f"{API}/jobs/{job.job_id}/events").content)
    assert [event.sequence for event in page.events] == [1, 2, 3]
    page = JobEvents.parse(ada.get(f"{API}/jobs/{job.job_id}/events?after=2").content)
    assert [event.event for event in page.events] == ["job.signed_off"]


@pytest.mark.parametrize("ends", [False, True])
def test_waiting_for_the_next_event(hub, ends: bool) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    pages: list[JobEvents] = []

    def watch() -> None:
        # an application of its own: each test client has its own event loop
        app = create_app(hub.office.config, hub.authenticator, components=hub.components)
        with hub.client("ada", app=app) as client:
            content = client.get(f"{API}/jobs/{job.job_id}/events?after=3&wait=20").content
            pages.append(JobEvents.parse(content))

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    with hub.office.database.write(Routine("a test plays the dispatcher")) as session:
        if ends:
            session.get_one(Job, job.job_id).state = JobState.FAILED
        else:
            session.add(JobEventRow(job_id=job.job_id, sequence=4, at=now(), event="job.executing"))
    for watcher in watchers:
        watcher.join(15)
    assert len(pages) == 2
    for page in pages:
        assert page.job.state is JobState.FAILED if ends else page.events[0].event == "job.executing"


def test_waiting_has_an_end(hub) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    page = JobEvents.parse(hub.client("ada").get(f"{API}/jobs/{job.job_id}/events?after=3&wait=0.2").content)
    assert page.events == ()


def test_publishing_a_dashboard(hub) -> None:
    hub.ready(team=("alan",))
    ada = hub.client("ada")
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    wanted = {"notebook": digest(NOTEBOOK), "name": "report", "jobs": [job.job_id]}
    _error(_post(ada, "projects/cytology/dashboards", wanted), 422)
    _upload(ada, NOTEBOOK)
    _error(_post(ada, "projects/cytology/dashboards", wanted), 422)
    _complete(hub, job.job_id)
    for _ in range(2):
        view = DashboardView.parse(_post(ada, "projects/cytology/dashboards", wanted).content)
    with hub.office.database.read() as session:
        newest = versions.newest(session, "cytology", "report")
        assert newest is not None
        folder = layout.lay_out(hub.office, session, newest)
    assert (folder / "notebook.ipynb").read_bytes() == NOTEBOOK
    assert JobResult.parse((folder / "jobs" / f"{job.job_id}.json").read_bytes()).job_id == job.job_id
    assert sorted(path.name for path in folder.iterdir()) == ["jobs", "notebook.ipynb"]
    assert "cytology" in view.address
    assert len(hub.client("alan").get(f"{API}/projects/cytology/dashboards").json()) == 1
    _error(hub.client("rufus").get(f"{API}/projects/cytology/dashboards"), 403)
    _error(_post(hub.client("rufus"), "projects/cytology/dashboards", wanted), 403)


def test_what_is_no_notebook_is_not_published(hub) -> None:
    hub.ready()
    ada = hub.client("ada")
    for content in (b"not json", b"[]", b'{"cells": 3}'):
        _upload(ada, content)
        wanted = {"notebook": digest(content), "name": "report"}
        _error(_post(ada, "projects/cytology/dashboards", wanted), 422)


def test_a_cookie_reads_but_does_not_write(hub) -> None:
    hub.ready()
    browser = hub.browser("ada")
    assert browser.get(f"{API}/projects").status_code == 200
    _error(_post(browser, "projects/cytology/jobs", hub.count()), 401)


def test_every_answer_is_guarded(hub) -> None:
    for response in (hub.client().get(f"{API}/me"), hub.client("ada").get(f"{API}/me")):
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"


def _complete(hub, job_id: str) -> None:
    result = JobResult(
        job_id=job_id,
        kind="count",
        trusts=("aldgate", "brookfield"),
        refusals=(),
        epsilon=0.5,
        delta=0,
        counts={"aldgate": 120, "brookfield": None},
    )
    with hub.office.database.write(Routine("a test plays the dispatcher")) as session:
        session.get_one(Job, job_id).state = JobState.COMPLETED
        session.add(JobResultRow(job_id=job_id, content=result))
