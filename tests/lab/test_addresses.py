"""The panel's addresses in a real Jupyter Server: who may ask, what is answered, and what is refused in which words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flip_sdk.testing import FakeHub

from tests.lab.conftest import TABLE
from tests.lab.running import TOKEN, RunningLab

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("lab")]


@pytest.fixture
def ask(lab: RunningLab) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"token {TOKEN}"}
    with httpx.Client(base_url=f"{lab.address}/flip/", headers=headers, timeout=30, trust_env=False) as client:
        yield client


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    assert told["mend"] or told["violations"]
    return told


def test_nobody_else_is_answered(lab: RunningLab) -> None:
    for path in ("stream", "concepts", "templates/cohort"):
        assert httpx.get(f"{lab.address}/flip/{path}", trust_env=False).status_code == 403
    assert httpx.post(f"{lab.address}/flip/jobs/job-1/cancel", trust_env=False).status_code == 403


def test_a_page_of_another_place_sends_nothing(lab: RunningLab) -> None:
    """A browser that is signed in by its cookie has to show the XSRF token too."""
    with httpx.Client(base_url=lab.address, trust_env=False) as browser:
        assert browser.get(f"/lab?token={TOKEN}", follow_redirects=True).status_code == 200
        body = {"files": ["table.csv"]}
        assert browser.post("/flip/releases/checks", json=body).status_code == 403
        xsrf = {"X-XSRFToken": browser.cookies["_xsrf"]}
        assert browser.post("/flip/releases/checks", json=body, headers=xsrf).status_code == 200


def test_the_stream_tells_everything_and_never_the_token(ask: httpx.Client, lab_hub: FakeHub) -> None:
    told: dict[str, Any] = {}
    with ask.stream("GET", "stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        for line in answer.iter_lines():
            assert lab_hub.token not in line
            if line.startswith("event: "):
                part = line.removeprefix("event: ")
            elif line.startswith("data: "):
                told[part] = json.loads(line.removeprefix("data: "))
                if part == "hub":
                    break
    assert told["project"]["id"] == lab_hub.view.project_id
    assert len(told["budget"]) == len(lab_hub.trusts)


def test_a_cohort_is_described_priced_counted_and_cancelled(ask: httpx.Client, lab_hub: FakeHub) -> None:
    concepts = ask.get("concepts").json()
    condition = next(one["concept_id"] for one in concepts if one["domain"] == "Condition")
    asked = {"rules": [{"kind": "condition", "concepts": [condition]}], "epsilon": 0.25}
    described = ask.post("cohorts/description", json=asked).json()
    assert described["words"]
    assert {price["admitted"] for price in described["prices"]} == {True}
    assert described["problems"] == []

    job = ask.post("cohorts/count", json=asked)
    assert job.status_code == 201
    refused(ask.get(f"jobs/{job.json()['id']}/counts"), 404)
    assert ask.post(f"jobs/{job.json()['id']}/cancel").json() == {"state": "cancelled"}

    dear = refused(ask.post("cohorts/count", json=asked | {"epsilon": 100}), 422)
    assert dear["violations"][0]["rule"] == "budget_exceeded"
    refused(ask.post("cohorts/count", json={"rules": [{"kind": "condition"}]}), 422)
    assert ask.post("cohorts/count", content=b"[").status_code == 422


def test_files_are_checked_then_asked_for(ask: httpx.Client, lab_hub: FakeHub) -> None:
    (found,) = ask.post("releases/checks", json={"files": ["table.csv"]}).json()
    assert found["verdict"] == "flag"
    assert found["findings"][0]["rule"] == "table.small_count"
    before = len(lab_hub.airlock.requests)

    asked = {"files": ["table.csv"], "purpose": "The table of the paper, for its readers.", "audience": "signed-in"}
    made = ask.post("releases", json=asked)
    assert made.status_code == 201
    assert made.json()["files"][0]["state"] == "checked"
    assert TABLE not in made.text
    assert len(lab_hub.airlock.requests) == before + 1
    request = list(lab_hub.airlock.requests.values())[-1]
    assert request.audience == "signed-in"


@pytest.mark.parametrize("path", ["../home/runtime/jupyter_cookie_secret", "/etc/passwd", "none.csv"])
def test_files_elsewhere_are_not_there(ask: httpx.Client, path: str) -> None:
    refused(ask.post("releases/checks", json={"files": [path]}), 404)
    refused(ask.post("dashboards", json={"file": path, "name": "report"}), 404)


def test_a_notebook_becomes_a_dashboard_and_a_table_does_not(ask: httpx.Client, lab_hub: FakeHub) -> None:
    made = ask.post("dashboards", json={"file": "report.ipynb", "name": "report"})
    assert made.status_code == 201
    assert "report" in lab_hub.dashboards
    refused(ask.post("dashboards", json={"file": "table.csv", "name": "table"}), 404)
    assert ask.post("dashboards", json={"file": "report.ipynb", "name": "Not A Name"}).status_code == 422


@pytest.mark.parametrize("name", ["first-model", "cohort", "statistics", "training_report", "model_card"])
def test_a_template_is_a_notebook(ask: httpx.Client, name: str) -> None:
    import nbformat

    nbformat.validate(ask.get(f"templates/{name}").json())
    refused(ask.get("templates/none"), 404)


def test_there_is_no_way_to_a_released_file(ask: httpx.Client, lab: RunningLab) -> None:
    for path in ("releases", "releases/release-1/file", "files/table.csv"):
        assert ask.get(path).status_code in (404, 405)
    assert Path(lab.files / "table.csv").read_text() == TABLE
