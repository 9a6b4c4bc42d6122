"""The airlock over HTTP: the JSON API, and the pages that people without a program use."""

from __future__ import annotations

import json
import re

import pytest
from flip_hub.airlock.worker import Worker
from flip_sdk.contract.airlock import CheckView, ReleasedFile, ReleaseView
from flip_sdk.contract.ingress import IngressView
from flip_sdk.contract.records import digest
from pydantic import TypeAdapter

from demo.processes import wait_until
from tests.hub.airlock.conftest import CLEAN, SMALL

API = "/services/flip/api"
BASE = "/services/flip"


def post(client, path: str, body=None):
    content = body.canonical() if hasattr(body, "canonical") else json.dumps(body or {})
    return client.post(f"{API}/{path}", content=content, headers={"content-type": "application/json"})


def send(browser, page: str, to: str, **fields):
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', browser.get(f"{BASE}/{page}").text)
    assert token
    return browser.post(f"{BASE}/{to}", data={"csrf_token": token[1], **fields})


def test_from_a_workspace_to_the_released_file(airlock) -> None:
    ada = airlock.hub.client("ada", workspace="cytology")
    wanted = airlock.wanted({"table.csv": CLEAN})
    begun = CheckView.parse(post(ada, "projects/cytology/airlock/checks", wanted).content)
    airlock.work()
    assert CheckView.parse(ada.get(f"{API}/airlock/checks/{begun.check_id}").content).done
    answer = post(ada, "projects/cytology/airlock/requests", wanted)
    assert answer.status_code == 201
    asked = ReleaseView.parse(answer.content)
    assert (
        ReleaseView.parse(post(ada, "projects/cytology/airlock/requests", wanted).content).request_id
        == asked.request_id
    )
    airlock.work()
    body = {"outputs": [asked.outputs[0].output_id], "decision": "approve"}
    for who in ("cora", "cyril"):
        client = airlock.hub.client(who)
        assert [one["request_id"] for one in client.get(f"{API}/airlock/requests").json()] == [asked.request_id]
        assert client.get(f"{API}/airlock/outputs/{asked.outputs[0].output_id}/content").content == CLEAN
        decided = post(client, f"airlock/requests/{asked.request_id}/decisions", body)
        assert decided.status_code == 200, decided.text
    home = airlock.hub.client("alan")
    (released,) = TypeAdapter(list[ReleasedFile]).validate_json(home.get(f"{API}/projects/cytology/releases").content)
    fetched = home.get(f"{API}/releases/{released.release_id}/file")
    assert fetched.content == CLEAN
    assert fetched.headers["content-security-policy"].startswith("sandbox;")
    assert fetched.headers["x-content-type-options"] == "nosniff"
    assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''table.csv"
    revoked = post(
        airlock.hub.client("cora"), f"airlock/outputs/{asked.outputs[0].output_id}/revoke", {"reason": "Oh no."}
    )
    assert revoked.json()["outputs"][0]["state"] == "revoked"
    assert home.get(f"{API}/releases/{released.release_id}/file").status_code == 403


def test_everything_wrong_is_in_one_answer(airlock) -> None:
    wanted = airlock.wanted({"table.csv": CLEAN})
    gone = wanted.files[0].model_copy(update={"content": digest(b"gone"), "jobs": ("nothing",)})
    answer = post(
        airlock.hub.client("ada"), "projects/cytology/airlock/requests", wanted.model_copy(update={"files": (gone,)})
    )
    assert answer.status_code == 422
    assert {violation["rule"] for violation in answer.json()["violations"]} == {"blob_missing", "job_unknown"}


def test_the_second_checker_does_not_peek_anywhere(airlock) -> None:
    request = airlock.checked({"b.csv": SMALL})
    airlock.decide(request, "cora", "withhold", reason="Recognisable.")
    output = request.outputs[0].output_id
    client, browser = airlock.hub.client("cyril"), airlock.hub.browser("cyril")
    for path in (f"airlock/requests/{request.request_id}", "airlock/requests", "projects/cytology/releases"):
        text = client.get(f"{API}/{path}").text
        assert "Recognisable" not in text
        assert "cora" not in text
    for path in (f"airlock/{request.request_id}", f"airlock/{request.request_id}?file={output}", "airlock"):
        html = browser.get(f"{BASE}/{path}").text
        assert "Recognisable" not in html
        assert "Cora" not in html


def test_the_team_is_not_shown_the_file_outside(airlock) -> None:
    request = airlock.checked({"b.csv": SMALL})
    browser = airlock.hub.browser("ada")
    html = browser.get(f"{BASE}/airlock/{request.request_id}").text
    assert "female" not in html
    assert "3 persons." in html
    output = request.outputs[0].output_id
    for path in (f"airlock/outputs/{output}/content", f"airlock/outputs/{output}/image"):
        assert browser.get(f"{BASE}/{path}").status_code == 403


@pytest.mark.parametrize(("who", "status"), [("nina", 403), ("bea", 404), ("rufus", 404), ("olga", 404)])
def test_who_does_not_see_a_request(airlock, who, status) -> None:
    request = airlock.checked()
    answer = airlock.hub.browser(who).get(f"{BASE}/airlock/{request.request_id}")
    assert answer.status_code == status


def test_a_strangers_download_is_for_what_is_public(airlock) -> None:
    airlock.released(audience="public")
    airlock.released({"own.csv": CLEAN + b"x,40\n"})
    team = airlock.hub.client("ada")
    own, public = (one["release_id"] for one in team.get(f"{API}/projects/cytology/releases").json())
    nobody = airlock.hub.client()
    answer = nobody.get(f"{BASE}/released/{public}/file")
    assert answer.content == CLEAN
    assert answer.headers["content-disposition"].startswith("attachment")
    assert nobody.get(f"{BASE}/released/{own}/file").status_code == 404
    assert nobody.get(f"{API}/releases/{public}").status_code == 401
    assert airlock.hub.browser("ada").get(f"{BASE}/released/{own}/crate").status_code == 200


def test_pages_decide_revoke_and_withdraw(airlock) -> None:
    request = airlock.checked({"a.csv": CLEAN, "b.csv": SMALL})
    page = f"airlock/{request.request_id}"
    clean, small = (output.output_id for output in request.outputs)
    cora, cyril, ada = (airlock.hub.browser(name) for name in ("cora", "cyril", "ada"))
    assert "Say why it may leave" in send(cora, page, f"{page}/decisions", outputs=small, decision="approve").text
    assert send(cora, page, f"{page}/decisions", outputs=small, decision="perhaps").status_code == 422
    for browser in (cora, cyril):
        assert send(browser, page, f"{page}/decisions", outputs=[clean], decision="approve").status_code == 303
    assert "Table 1 of the paper" in ada.get(f"{BASE}/airlock").text
    assert send(ada, page, f"{page}/withdraw").status_code == 303
    assert "a.csv" in ada.get(f"{BASE}/projects/cytology/releases").text
    missing = send(
        cora, f"{page}?file={clean}", f"airlock/outputs/{clean}/revoke", reason="", request=request.request_id
    )
    assert missing.status_code == 422
    done = send(
        cora, f"{page}?file={clean}", f"airlock/outputs/{clean}/revoke", reason="It tells too much.", request="x"
    )
    assert done.status_code == 303
    assert "It tells too much." in ada.get(f"{BASE}/projects/cytology/releases").text
    assert ada.post(f"{BASE}/{page}/withdraw", data={}).status_code == 403


def test_an_operator_revokes_and_sees_nothing_else(airlock) -> None:
    request = airlock.released()
    olga, page = airlock.hub.browser("olga"), "projects/cytology/releases"
    (release,) = airlock.hub.client("olga").get(f"{API}/{page}").json()
    to = f"{page}/{release['release_id']}/revoke"
    assert send(olga, page, to, reason=" ").status_code == 422
    assert "Revoke the release" not in airlock.hub.browser("ada").get(f"{BASE}/{page}").text
    assert send(olga, page, to, reason="A court says so.").headers["location"].endswith(page)
    assert "A court says so." in airlock.hub.browser("ada").get(f"{BASE}/{page}").text
    assert olga.get(f"{BASE}/airlock/{request.request_id}").status_code == 404
    airlock.hub.approved("second")
    other = send(olga, "projects/second", f"projects/second/releases/{release['release_id']}/revoke", reason="Why not.")
    assert other.status_code == 404


def test_a_file_is_brought_in_by_pages(airlock) -> None:
    ada, sam = airlock.hub.browser("ada"), airlock.hub.browser("sam")
    page = "projects/cytology/incoming"

    def bring(content: bytes, **fields: str):
        html = ada.get(f"{BASE}/{page}").text
        data = {name: re.search(f'name="{name}" value="([0-9a-f]+)"', html)[1] for name in ("csrf_token", "key")}
        return ada.post(f"{BASE}/{page}", data=data | fields, files={"file": ("code list.csv", content)})

    answer = bring(b"\x7fELF", purpose="To name the codes.", source="WHO")
    assert answer.status_code == 422
    assert "a program" in answer.text
    assert "Say in a sentence" in bring(b"a,b\n", purpose="", source="WHO").text
    assert bring(b"a,b\n<script>,2\n", purpose="To name the codes.", source="WHO").status_code == 303
    (waiting,) = TypeAdapter(list[IngressView]).validate_json(airlock.hub.client("sam").get(f"{API}/ingress").content)
    assert waiting.path == "code_list.csv"
    one = f"airlock/ingress/{waiting.ingress_id}"
    html = sam.get(f"{BASE}/{one}").text
    assert "nobody scanned it" in html
    assert "&lt;script&gt;" in html
    assert send(sam, one, f"{one}/decision", decision="refuse").status_code == 422
    assert send(sam, one, f"{one}/decision", decision="admit").status_code == 303
    assert "Admitted" in ada.get(f"{BASE}/{page}").text


def test_bringing_in_over_the_api(airlock) -> None:
    content = b"code,meaning\n1,benign\n"
    outside, inside = airlock.hub.client("ada"), airlock.hub.client("ada", workspace="cytology")
    assert outside.put(f"{API}/projects/cytology/ingress/uploads/{digest(b'x')}", content=content).status_code == 422
    assert outside.put(f"{API}/projects/cytology/ingress/uploads/{digest(content)}", content=content).status_code == 204
    body = {
        "path": "codes.csv",
        "content": digest(content),
        "purpose": "To name codes.",
        "source": "WHO",
        "idempotency_key": "k",
    }
    asked = IngressView.parse(post(outside, "projects/cytology/ingress", body).content)
    blob = f"{API}/projects/cytology/blobs/{digest(content)}"
    assert inside.get(blob).status_code == 403
    assert (
        post(airlock.hub.client("cora"), f"ingress/{asked.ingress_id}/decision", {"decision": "admit"}).status_code
        == 200
    )
    assert inside.get(blob).content == content
    assert outside.get(f"{API}/projects/cytology/ingress").json()[0]["state"] == "admitted"


def test_the_service_checks_what_waits_when_it_starts_and_what_comes(airlock) -> None:
    first = airlock.submitted()
    worker = Worker(airlock.hub.office, airlock.examine)
    airlock.hub.app.state.airlock = worker
    with airlock.hub.client("ada") as client:
        wait_until(lambda: not airlock.show(first.request_id).checking, 60, "the checks", every=0.02)
        answer = post(client, "projects/cytology/airlock/requests", airlock.wanted({"b.csv": SMALL}))
        wait_until(lambda: not airlock.show(answer.json()["request_id"]).checking, 60, "the checks", every=0.02)
