"""The page on which a person decides on a job, with all that they need to know, and the ways to it."""

from __future__ import annotations

import re

from flip_hub.database import Job, Routine
from flip_hub.governance import intake
from flip_hub.models import allow_blob
from flip_sdk.contract.api import SubmitJob
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.graph import GraphRecord, Node, Ref, TensorSpec, Weight
from flip_sdk.contract.jobs import ModelRef, Privacy, TrainSpec
from flip_sdk.contract.states import JobState

BASE = "/services/flip"
HOSTILE = "\u202e<script>alert(1)</script>"


def _train(hub) -> SubmitJob:
    out = TensorSpec(shape=(1, 1), dtype="float32")
    graph = GraphRecord(
        input=TensorSpec(shape=(1, 2), dtype="float32"),
        weights=(Weight(shape=(1, 2), dtype="float32", key="weight", trained=True),),
        nodes=(Node(op="aten.linear.default", args=(Ref(value=0), Ref(value=1), None), results=(out,)),),
        output=2,
    ).canonical()
    header = b'{"weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
    weights = len(header).to_bytes(8, "little") + header + bytes(8)
    digests = [hub.office.blobs.put(content) for content in (graph, weights)]
    with hub.office.database.write(Routine("a test uploads")) as session:
        for address, content in zip(digests, (graph, weights), strict=True):
            allow_blob(session, "cytology", address, len(content), "ada", inside=True, outside=True)
    spec = TrainSpec(
        project_id="cytology",
        features=(
            Feature(concept_id=2_000_000_001, low=0, high=40, name=HOSTILE),
            Feature(concept_id=2_000_000_002, low=0, high=60),
        ),
        label=Label(condition_concept_ids=(2_000_000_101,)),
        model=ModelRef(graph=digests[0], weights=digests[1]),
        privacy=Privacy(epsilon=3.0),
    )
    return SubmitJob(spec=spec, idempotency_key="k1")


def waiting_job(hub) -> str:
    hub.ready(epsilon=2.0, title=f"Cells {HOSTILE}")
    return intake.submit_job(hub.office, hub.who("ada"), "cytology", _train(hub)).job_id


def _state(hub, job_id: str) -> str:
    with hub.office.database.read() as session:
        return session.get_one(Job, job_id).state


def _send(browser, job_id: str, **fields: str):
    page = f"{BASE}/jobs/{job_id}/sign-off"
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', browser.get(page).text)
    return browser.post(page, data={"csrf_token": token[1] if token else "", **fields})


def test_a_reviewer_finds_the_job_reads_everything_and_signs_it_off(hub) -> None:
    job_id, browser = waiting_job(hub), hub.browser("rufus")
    assert f"jobs/{job_id}/sign-off" in browser.get(f"{BASE}/").text
    page = browser.get(f"{BASE}/jobs/{job_id}/sign-off").text
    for words in (
        "Epsilon 3 is over the project&#39;s 2",  # why
        "mean radius, from 0 to 40",  # on what
        "whether there is a record of malignant",
        "0 now, 3 after this job, of 10",  # the price, and what is left
        "right 95.3 % of the time",
        "linear(person, weight, none)",  # the model
        "Training changes 2 numbers",
        "This is the first one",
    ):
        assert words in page, words
    assert HOSTILE not in page
    assert "<script>alert" not in page
    assert "[U+202E]" in page
    answer = _send(browser, job_id, declares="none", decision="approve", reason="It is worth it.")
    assert answer.status_code == 303
    assert _state(hub, job_id) == JobState.SIGNED_OFF
    assert "It is worth it." in hub.browser("ada").get(f"{BASE}/jobs/{job_id}").text


def test_what_is_missing_is_said_and_what_was_written_stays(hub) -> None:
    job_id, browser = waiting_job(hub), hub.browser("rufus")
    for fields in ({"declares": "none", "decision": "approve"}, {"decision": "approve", "reason": "Good enough."}, {}):
        answer = _send(browser, job_id, **fields)
        assert answer.status_code == 422
        assert fields.get("reason", "") in answer.text
    assert browser.post(f"{BASE}/jobs/{job_id}/sign-off", data={"decision": "approve"}).status_code == 403
    assert _state(hub, job_id) == JobState.VALIDATED


def test_the_team_sees_what_it_waits_for_and_decides_nothing(hub) -> None:
    job_id, browser = waiting_job(hub), hub.browser("ada")
    assert "A reviewer decides until" in browser.get(f"{BASE}/jobs/{job_id}").text
    page = browser.get(f"{BASE}/jobs/{job_id}/sign-off").text
    assert "nobody decides on an own job" in page
    assert "csrf_token" not in page
    assert hub.browser("bea").get(f"{BASE}/jobs/{job_id}/sign-off").status_code == 404
