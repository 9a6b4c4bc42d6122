"""Applying and reading applications: drafts as typed, comments, versions, the agreement, conditions."""

from __future__ import annotations

import html as markup
import re

import pytest
from fastapi.testclient import TestClient
from flip_hub.errors import DeniedError, MissingError
from flip_hub.governance import drafts, intake, projects, reviews
from flip_sdk.contract.applications import Review
from flip_sdk.contract.filling import posted
from flip_sdk.contract.states import ProjectState
from flip_sdk.errors import SpecError

BASE = "/services/flip"
EDIT = "projects/cytology/edit"
PAGE = "projects/cytology"


def _token(html: str) -> str:
    match = re.search(r'name="csrf_token" value="([0-9a-f]+)"', html)
    assert match
    return match[1]


def _send(browser: TestClient, page: str, to: str, **fields: object):
    html = browser.get(f"{BASE}/{page}").text
    return browser.post(f"{BASE}/{to}", data={"csrf_token": _token(html), **fields})


def _begun(hub) -> TestClient:
    browser = hub.browser("ada")
    answer = _send(browser, "apply", "apply", project_id="cytology", title="Cytology")
    assert answer.headers["location"] == f"{BASE}/{EDIT}"
    return browser


def _type(browser: TestClient, name: str, value: object, seen: int | None = None):
    if seen is None:
        shown = re.search(rf'name="seen-{name}" value="(\d+)"', browser.get(f"{BASE}/{EDIT}").text)
        assert shown
        seen = int(shown[1])
    return _send(browser, EDIT, f"{PAGE}/draft/{name}", **{name: value, f"seen-{name}": seen})


def _asked_for_changes(hub) -> None:
    hub.submitted()
    decision = Review(decision="request_changes", comment="See the comments.", declares="none")
    reviews.review(hub.office, hub.who("rufus"), "cytology", decision)


def test_what_is_typed_is_kept_at_once_whether_it_is_valid_or_not(hub) -> None:
    browser = _begun(hub)
    for name, value in (("lay_summary", "Not yet"), ("epsilon", "many"), ("expires_at", "31/31/2030")):
        answer = _type(browser, name, value)
        assert re.match(r"Saved \d\d:\d\d UTC", answer.text.strip())
        assert f'name="seen-{name}"' in answer.text
    page = hub.browser("ada").get(f"{BASE}/{EDIT}").text
    assert all(value in page for value in ("Not yet", 'value="many"', 'value="31/31/2030"'))
    view = projects.show(hub.office, hub.who("ada"), "cytology")
    assert (view.state, view.application.lay_summary) == (ProjectState.DRAFT, "Not yet")


def test_a_second_tab_is_told_and_both_texts_are_kept(hub) -> None:
    browser = _begun(hub)
    assert "Saved" in _type(browser, "lay_summary", "The first tab's").text
    answer = _type(browser, "lay_summary", "The second tab's", seen=0)
    assert "Another tab saved this field first" in answer.text
    assert "The first tab&#39;s" in answer.text
    page = markup.unescape(browser.get(f"{BASE}/{EDIT}").text)
    assert "The first tab's" in page
    assert "The second tab's" in page
    assert "Two texts are kept" in _send(browser, PAGE, f"{PAGE}/submit").text
    assert _send(browser, EDIT, EDIT, does="use:lay_summary").status_code == 303
    with hub.office.database.read() as session:
        kept = drafts.draft_of(session, session.get_one(drafts.Project, "cytology")).fields["lay_summary"]
    assert (kept.value, kept.rival) == ("The second tab's", None)


def test_everything_that_is_missing_is_said_at_once_with_its_field(hub) -> None:
    browser = _begun(hub)
    answer = _send(browser, EDIT, EDIT, does="submit", **{"planned_outputs-0-kind": "model", "seen-planned_outputs": 0})
    assert answer.status_code == 422
    links = set(re.findall(r'href="#([\w-]+)"', answer.text))
    assert {"lay_summary", "epsilon", "expires_at", "trusts", "data", "planned_outputs-0-description"} <= links
    for link in links:
        assert f'id="{link}"' in answer.text, link


def test_an_entry_is_added_and_removed_without_javascript(hub) -> None:
    browser = _begun(hub)
    fields = posted(hub.application(title="Cytology"))
    answer = _send(browser, EDIT, EDIT, does="add:planned_outputs", **fields)
    assert answer.headers["location"].endswith("?more=planned_outputs#field-planned_outputs")
    assert 'name="planned_outputs-1-kind"' in browser.get(answer.headers["location"]).text
    again = fields | {"planned_outputs-1-kind": "table", "planned_outputs-1-description": "A table of counts"}
    _send(browser, EDIT, EDIT, does="remove:planned_outputs:0", **again)
    outputs = projects.show(hub.office, hub.who("ada"), "cytology").application.planned_outputs
    assert [one.kind for one in outputs] == ["table"]


def test_an_epsilon_has_its_meaning_beside_it(hub) -> None:
    browser = _begun(hub)
    _type(browser, "delta", "0.00001")
    answer = _type(browser, "epsilon", "1")
    assert "73.2 % of the time" in answer.text
    assert "1 in 100,000" in answer.text


def test_others_may_not_write_in_a_draft(hub) -> None:
    _begun(hub)
    with pytest.raises(MissingError):
        drafts.save_field(hub.office, hub.who("rufus"), "cytology", "title", "x", seen=0)
    with pytest.raises(DeniedError):
        drafts.save_field(hub.office, hub.who("ada", "cytology"), "cytology", "title", "x", seen=0)


def test_comments_stay_with_their_field_from_version_to_version(hub) -> None:
    _asked_for_changes(hub)
    rufus, ada = hub.browser("rufus"), hub.browser("ada")
    page = f"{PAGE}/application"
    said = _send(rufus, page, f"{PAGE}/comments", field="lay_summary", text="Which patients?")
    assert said.headers["location"] == f"{BASE}/{page}#field-lay_summary"
    assert "Which patients?" in ada.get(f"{BASE}/{EDIT}").text
    assert _send(ada, page, f"{PAGE}/comments", answers="1", text="Adults.").status_code == 303
    projects.submit(hub.office, hub.who("ada"), "cytology")
    html = rufus.get(f"{BASE}/{page}").text
    assert "1 open comment" in html
    assert "Adults." in html
    assert "on version 1" in html
    assert "1 open comment" in rufus.get(f"{BASE}/{PAGE}").text
    _send(rufus, page, f"{PAGE}/comments/1", does="resolve")
    assert "Resolved by Rufus" in rufus.get(f"{BASE}/{page}").text
    assert {"project.commented", "project.comment_resolved"} <= set(hub.events())
    assert hub.browser("bea").get(f"{BASE}/{page}").status_code == 404
    assert _send(rufus, page, f"{PAGE}/comments", field="nothing", text="x").status_code == 422


def test_two_versions_are_compared_word_by_word(hub) -> None:
    _asked_for_changes(hub)
    changed = hub.application(lay_summary="Can a small model tell malignant from benign cells?", trusts=("aldgate",))
    projects.edit(hub.office, hub.who("ada"), "cytology", changed)
    projects.submit(hub.office, hub.who("ada"), "cytology")
    html = re.sub(
        r"<span class=\"nhsuk-u-visually-hidden\">.*?</span>",
        "",
        hub.browser("rufus").get(f"{BASE}/{PAGE}/versions").text,
    )
    assert "Can a <ins>small </ins>model tell" in html
    assert "<del>brookfield</del>" in html
    assert '<h2 class="nhsuk-heading-s">Title</h2>' not in html
    assert hub.browser("rufus").get(f"{BASE}/{PAGE}/versions?before=9").status_code == 404


def test_a_member_signs_in_their_own_name_before_they_work(hub) -> None:
    hub.submitted(team=("alan",))
    for reviewer in ("rufus", "mina"):
        reviews.review(hub.office, hub.who(reviewer), "cytology", Review(decision="approve", declares="none"))
    ada, page = hub.browser("ada"), f"{PAGE}/agreement"
    assert "You have not signed" in ada.get(f"{BASE}/{PAGE}").text
    with pytest.raises(DeniedError) as caught:
        intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    assert caught.value.policy == "people.unsigned"
    digest = re.search(r'name="agreement" value="(sha256:\w+)"', ada.get(f"{BASE}/{page}").text)
    assert digest
    for wrong in (
        {"agrees": "yes"},
        {"typed_name": "Ada"},
        {"agrees": "yes", "typed_name": "Ada", "agreement": "sha256:" + "0" * 64},
    ):
        assert _send(ada, page, page, **({"agreement": digest[1]} | wrong)).status_code == 422
    assert _send(ada, page, page, agreement=digest[1], agrees="yes", typed_name="Ada Marsh").status_code == 303
    html = ada.get(f"{BASE}/{page}").text
    assert "signed as “Ada Marsh”" in html
    assert "Alan (Northbridge University): not signed yet" in html
    assert "project.agreement_signed" in hub.events()
    text = ada.get(f"{BASE}/{page}.md")
    assert "Cytology of adults" in text.text
    assert text.headers["x-flip-digest"] == digest[1]
    assert hub.browser("rufus").get(f"{BASE}/{page}").text.count("Sign the agreement") == 0


def test_an_approval_on_a_condition_keeps_jobs_back_until_it_is_met(hub) -> None:
    hub.submitted()
    fields = {
        "decision": "approve",
        "declares": "none",
        "condition-0": "Name a clinical lead",
        "due_on-0": "2099-01-31",
        "before_start-0": "yes",
    }
    undeclared = {**fields, "declares": "", "comment": "A long comment"}
    answer = _send(hub.browser("rufus"), PAGE, f"{PAGE}/reviews", **undeclared)
    assert answer.status_code == 422
    assert all(text in answer.text for text in ("A long comment", "Name a clinical lead", "2099-01-31"))
    assert _send(hub.browser("rufus"), PAGE, f"{PAGE}/reviews", **fields).status_code == 303
    reviews.review(hub.office, hub.who("mina"), "cytology", Review(decision="approve", declares="none"))
    hub.sign()
    for trust in hub.trusts.values():
        hub.notice(trust.consent("cytology"))
    with pytest.raises(SpecError) as caught:
        intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    assert [one.rule for one in caught.value.violations] == ["condition_open"]
    assert "due 31 January 2099" in hub.browser("ada").get(f"{BASE}/{PAGE}").text
    rufus = hub.browser("rufus")
    assert _send(rufus, PAGE, f"{PAGE}/conditions/1", how=" ").status_code == 422
    assert _send(rufus, PAGE, f"{PAGE}/conditions/1", how="Letter of 3 May").status_code == 303
    assert intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count()).state == "signed_off"
    assert "project.condition_met" in hub.events()


def test_a_reviewer_who_names_a_conflict_steps_aside(hub) -> None:
    hub.submitted()
    fields = {"declares": "conflict", "conflict": "I sit on the applicant's board"}
    assert _send(hub.browser("rufus"), PAGE, f"{PAGE}/reviews", **fields).status_code == 303
    html = markup.unescape(hub.browser("mina").get(f"{BASE}/{PAGE}").text)
    assert "Stepped aside. Conflict of interest: I sit on the applicant's board" in html
    with pytest.raises(DeniedError) as caught:
        reviews.review(hub.office, hub.who("rufus"), "cytology", Review(decision="approve", declares="none"))
    assert caught.value.policy == "projects.review_recused"
    assert projects.show(hub.office, hub.who("ada"), "cytology").state is ProjectState.SUBMITTED
    # a colleague of the same organisation may decide: they did not
    reviews.review(hub.office, hub.who("rose"), "cytology", Review(decision="approve", declares="none"))


def test_a_suspension_says_why_to_everybody(hub) -> None:
    hub.approved()
    assert _send(hub.browser("olga"), PAGE, f"{PAGE}/state", state="suspended").status_code == 422
    _send(hub.browser("olga"), PAGE, f"{PAGE}/state", state="suspended", reason="A laptop was lost.")
    assert "A laptop was lost." in hub.browser("ada").get(f"{BASE}/{PAGE}").text


def test_programs_comment_resolve_and_sign_too(hub) -> None:
    hub.submitted()
    rufus, ada = hub.client("rufus"), hub.client("ada")
    api = f"{BASE}/api/{PAGE}"
    made = rufus.post(f"{api}/comments", json={"field": "data", "text": "Which years?"})
    assert made.status_code == 201
    answer = {"field": "data", "text": "2015 to 2025", "answers": made.json()["comment_id"]}
    assert ada.post(f"{api}/comments", json=answer).status_code == 201
    assert [one["text"] for one in rufus.get(f"{api}/comments").json()] == ["Which years?", "2015 to 2025"]
    resolved = rufus.put(f"{api}/comments/{made.json()['comment_id']}/resolved", json={"resolved": True})
    assert resolved.json()["resolved_by"] == "rufus"
    assert ada.post(f"{api}/comments", json=answer).status_code == 409
    assert ada.get(f"{api}/versions/1").json()["title"] == "Breast cytology"
    assert ada.get(f"{api}/versions/2").status_code == 404
    for reviewer in ("rufus", "mina"):
        reviews.review(hub.office, hub.who(reviewer), "cytology", Review(decision="approve", declares="none"))
    shown = ada.get(f"{api}/agreement").json()
    assert shown["missing"] == ["ada"]
    signature = {"agreement": shown["agreement"], "typed_name": "Ada Marsh"}
    assert ada.post(f"{api}/agreement", json=signature).status_code == 201
    assert ada.get(f"{api}/agreement").json()["missing"] == []
    assert hub.client("ada", workspace="cytology").post(f"{api}/agreement", json=signature).status_code == 403


def test_new_pages_have_no_inline_script_or_style(hub) -> None:
    _asked_for_changes(hub)
    browser = hub.browser("ada")
    for path in ("apply", EDIT, f"{PAGE}/application", f"{PAGE}/versions", f"{PAGE}/agreement"):
        html = browser.get(f"{BASE}/{path}").text
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html)
        assert html.count("<h1") == 1
