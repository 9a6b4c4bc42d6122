"""Pages: what people see, the forms they send, and who is turned away with which words."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi.testclient import TestClient
from flip_hub.api.sessions import csrf_token
from flip_hub.database import JobResultRow, Routine
from flip_hub.governance import intake, projects
from flip_hub.testing import FakeAuthenticator
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.filling import posted
from flip_sdk.contract.states import ProjectState
from flip_sdk.contract.statistics import Estimate
from flip_sdk.mechanisms.aggregate import class_figures

BASE = "/services/flip"


def _token(html: str) -> str:
    match = re.search(r'name="csrf_token" value="([0-9a-f]+)"', html)
    assert match
    return match[1]


def _send(browser: TestClient, page: str, to: str, **fields: object):
    html = browser.get(f"{BASE}/{page}").text
    return browser.post(f"{BASE}/{to}", data={"csrf_token": _token(html), **fields})


def _state(hub, project_id: str = "cytology") -> ProjectState:
    return projects.show(hub.office, hub.who("ada"), project_id).state


def test_a_stranger_is_sent_to_sign_in_and_comes_back(hub) -> None:
    authenticator: FakeAuthenticator = hub.authenticator
    hub.approved()
    browser = hub.client()
    sent = browser.get(f"{BASE}/projects/cytology?problem=x")
    assert sent.status_code == 302
    assert sent.headers["location"].startswith("/hub/api/oauth2/authorize")
    state = sent.headers["location"].rpartition("=")[2]
    assert "httponly" in sent.headers["set-cookie"].lower()
    assert "samesite=lax" in sent.headers["set-cookie"].lower()
    authenticator.codes["code"] = authenticator.sign_in("ada")
    back = browser.get(f"{BASE}/oauth_callback?code=code&state={state}")
    assert back.headers["location"] == f"{BASE}/projects/cytology?problem=x"
    assert browser.get(back.headers["location"]).status_code == 200


def test_a_sign_in_of_another_browser_is_not_taken(hub) -> None:
    first, second = hub.client(), hub.client()
    state = first.get(f"{BASE}/").headers["location"].rpartition("=")[2]
    hub.authenticator.codes["code"] = hub.authenticator.sign_in("ada")
    assert second.get(f"{BASE}/oauth_callback?code=code&state={state}").headers["location"] == f"{BASE}/"
    assert second.get(f"{BASE}/").status_code == 302


def test_signing_out_ends_both_sessions(hub) -> None:
    browser = hub.browser("ada")
    answer = browser.get(f"{BASE}/logout")
    assert answer.headers["location"] == "/hub/logout"
    assert 'flip-session=""' in answer.headers["set-cookie"]


def test_the_first_page_lists_what_one_may_see(hub) -> None:
    hub.submitted()
    assert "Breast cytology" in hub.browser("ada").get(f"{BASE}/").text
    assert "Breast cytology" not in hub.browser("bea").get(f"{BASE}/").text
    assert "Waiting for your decision" in hub.browser("rufus").get(f"{BASE}/").text
    assert "Waiting for your decision" not in hub.browser("nora").get(f"{BASE}/").text


def test_a_project_page_is_a_404_for_others(hub) -> None:
    hub.approved()
    for path in ("projects/cytology", "projects/nothing", "nowhere"):
        answer = hub.browser("bea").get(f"{BASE}/{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")


def test_a_reviewer_decides_by_the_form(hub) -> None:
    hub.submitted()
    page = "projects/cytology"
    for reviewer in ("rufus", "mina"):
        answer = _send(
            hub.browser(reviewer), page, f"{page}/reviews", decision="approve", declares="none", comment="Clear."
        )
        assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/{page}")
    assert _state(hub) is ProjectState.APPROVED
    html = hub.browser("ada").get(f"{BASE}/{page}").text
    assert "Rufus (Health Data Board)" in html
    assert "Open the workspace" not in html
    hub.sign()
    assert "Open the workspace" in hub.browser("ada").get(f"{BASE}/{page}").text


def test_a_reviewer_with_a_conflict_reads_why(hub) -> None:
    hub.submitted()
    html = hub.browser("nora").get(f"{BASE}/projects/cytology").text
    assert "Someone of your organisation is on this project" in html
    assert 'name="decision"' not in html
    browser = hub.browser("nora")
    token = csrf_token(browser.app.state.desk, SimpleNamespace(cookies=dict(browser.cookies)))
    answer = browser.post(f"{BASE}/projects/cytology/reviews", data={"csrf_token": token, "decision": "approve"})
    assert answer.status_code == 403
    assert "projects.review_own_organisation" in answer.text


@pytest.mark.parametrize("fields", [{}, {"decision": "reject"}, {"decision": "perhaps", "comment": "x"}])
def test_a_decision_that_is_incomplete_is_asked_for_again(hub, fields: dict[str, str]) -> None:
    hub.submitted()
    answer = _send(hub.browser("rufus"), "projects/cytology", "projects/cytology/reviews", **fields)
    assert answer.status_code == 422
    assert "There is a problem" in answer.text
    assert _state(hub) is ProjectState.SUBMITTED


def test_a_form_without_its_token_is_refused(hub) -> None:
    hub.submitted()
    browser = hub.browser("rufus")
    for fields in ({}, {"csrf_token": "0" * 64}, {"csrf_token": "é"}):
        answer = browser.post(f"{BASE}/projects/cytology/reviews", data={"decision": "approve", **fields})
        assert answer.status_code == 403
    assert _state(hub) is ProjectState.SUBMITTED


def test_a_researcher_applies_changes_and_submits(hub) -> None:
    browser = hub.browser("ada")
    for wrong in ({"project_id": "No id"}, {"title": "x"}, {"title": "x" * 201}):
        answer = _send(browser, "apply", "apply", **({"project_id": "cytology", "title": "Cytology"} | wrong))
        assert answer.status_code == 422
        assert f'href="#{next(iter(wrong))}"' in answer.text
    begun = {"project_id": "cytology", "title": "Cytology"}
    page = "projects/cytology/edit"
    assert _send(browser, "apply", "apply", **begun).headers["location"] == f"{BASE}/{page}"
    assert _send(browser, "apply", "apply", **begun).status_code == 422
    fields = posted(hub.application(title="Cytology"))
    answer = _send(browser, page, page, does="submit", **(fields | {"epsilon": "many", "trusts": []}))
    assert answer.status_code == 422
    assert 'href="#epsilon"' in answer.text
    assert 'href="#trusts"' in answer.text
    assert 'value="many"' in answer.text
    assert _send(browser, page, page, **(fields | {"title": "Cytology II"})).status_code == 303
    assert _send(browser, "projects/cytology", "projects/cytology/submit").status_code == 303
    view = projects.show(hub.office, hub.who("ada"), "cytology")
    assert (view.state, view.application.title) == (ProjectState.SUBMITTED, "Cytology II")


def test_only_researchers_get_the_form(hub) -> None:
    answer = hub.browser("sam").get(f"{BASE}/apply")
    assert answer.status_code == 403
    assert "Only researchers apply" in answer.text


def test_an_incomplete_application_says_what_is_missing(hub) -> None:
    hub.draft(team=("nobody-here",))
    answer = _send(hub.browser("ada"), "projects/cytology", "projects/cytology/submit")
    assert answer.status_code == 422
    assert "nobody-here" in answer.text


def test_an_operator_suspends_and_resumes(hub) -> None:
    hub.approved()
    browser = hub.browser("olga")
    for state in ("suspended", "approved"):
        assert (
            _send(browser, "projects/cytology", "projects/cytology/state", state=state, reason="Asked to.").status_code
            == 303
        )
        assert _state(hub) == state
    assert 'name="state"' not in hub.browser("ada").get(f"{BASE}/projects/cytology").text


def test_an_expired_project_says_so_and_offers_nothing(hub) -> None:
    hub.expired()
    html = hub.browser("ada").get(f"{BASE}/projects/cytology").text
    assert "Expired" in html
    assert "Open the workspace" not in html


def test_a_job_page_shows_its_steps_and_cancels(hub) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    browser, page = hub.browser("ada"), f"jobs/{job.job_id}"
    assert "Signed off for aldgate, brookfield." in browser.get(f"{BASE}/{page}").text
    assert _send(browser, page, f"{page}/cancel").status_code == 303
    html = browser.get(f"{BASE}/{page}").text
    assert "asked to cancel" in html
    assert job.job_id in browser.get(f"{BASE}/projects/cytology").text
    assert hub.browser("bea").get(f"{BASE}/{page}").status_code == 404


def test_a_job_page_shows_an_answer_as_a_table(hub) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    told = {"trust": "all", "quantity": "mean", "of": ("radius",), "estimate": 14.25, "standard_error": 0.5}
    rows = (Estimate(**told, low=13.25, high=15.25), Estimate(trust="aldgate", quantity="persons", at=1.0, to=2.0))
    kept = JobResult(
        job_id=job.job_id, kind="statistics", trusts=("aldgate",), refusals=(), epsilon=1, delta=0, statistics=rows
    )
    with hub.office.database.write(Routine("a test plays the dispatcher")) as session:
        session.add(JobResultRow(job_id=job.job_id, content=kept))
    html = hub.browser("ada").get(f"{BASE}/jobs/{job.job_id}").text

    assert "Mean: radius" in html
    assert "14.25 ± 0.5" in html
    assert "Persons (1 to 2)" in html
    assert "Not shown" in html


def test_a_job_page_shows_an_evaluation_of_several_classes(hub) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    tables = {"aldgate": np.array([[50.0, 5, 5], [5, 20, 5], [0, 5, 15]])}
    kept = JobResult(
        job_id=job.job_id,
        kind="evaluate",
        trusts=("aldgate",),
        refusals=(),
        epsilon=1,
        delta=0,
        figures=class_figures(tables, 1.0, ("well", "ill", "worse")),
    )
    with hub.office.database.write(Routine("a test plays the dispatcher")) as session:
        session.add(JobResultRow(job_id=job.job_id, content=kept))
    html = hub.browser("ada").get(f"{BASE}/jobs/{job.job_id}").text

    assert "Mean recall of the classes" in html
    assert "AUC" not in html
    assert f"{np.mean([50 / 60, 20 / 30, 15 / 20]):.3f}"[:4] in html


def test_what_people_write_is_text_and_nothing_else(hub) -> None:
    hub.draft(title="<script>alert(1)</script>", lay_summary='"><img src=x onerror=alert(1)> and more words')
    for path in ("", "projects/cytology", "projects/cytology/edit"):
        html = hub.browser("ada").get(f"{BASE}/{path}").text
        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_pages_have_no_inline_script_or_style(hub) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    for path in ("", "apply", "projects/cytology", f"jobs/{job.job_id}"):
        html = hub.browser("ada").get(f"{BASE}/{path}").text
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html)
        assert html.count("<h1") == 1


def test_static_files_are_served(hub) -> None:
    (hub.components / "nhsuk-frontend.min.css").write_text(
        "a{}@font-face{src:url(https://elsewhere.example/x.woff)}b{}"
    )
    client = hub.client()
    for name in ("flip.css", "flip.js", "flip.svg", "nhsuk/nhsuk-frontend.min.css"):
        assert client.get(f"{BASE}/static/{name}").status_code == 200
    assert client.get(f"{BASE}/static/nhsuk/nhsuk-frontend.min.css").text == "a{}b{}"
    assert client.get(f"{BASE}/static/../service.py").status_code == 404
