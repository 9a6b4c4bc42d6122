from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from flip_sdk.connection import Connection
from flip_sdk.contract.api import Me, ProjectView
from flip_sdk.contract.records import digest
from flip_sdk.errors import ConnectionFailedError, ModelError, NotAllowedError, NotFoundError, PublicError, SpecError
from flip_sdk.settings import Settings

ME = {"name": "ada", "display_name": "Ada", "organisation": "Northbridge", "roles": ["researcher"]}
SETTINGS = Settings("http://127.0.0.1:1/services/flip/api", "secret-token")


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def connection(
    handler: Callable[[httpx.Request], httpx.Response], clock: Clock | None = None
) -> tuple[Connection, list[str]]:
    said: list[str] = []
    clock = clock or Clock()
    transport = httpx.MockTransport(handler)
    return Connection(SETTINGS, transport=transport, notify=said.append, clock=clock, sleep=clock.sleep), said


def answers(*responses: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    left: Iterator[httpx.Response | Exception] = iter(responses)

    def handler(request: httpx.Request) -> httpx.Response:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


def body(status: int, code: str, **more: object) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": "No.", **more})


def test_the_token_travels_in_the_header_and_nowhere_else() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ME)

    line, _ = connection(handler)
    assert line.get("me", Me).name == "ada"
    assert seen[0].headers["authorization"] == "token secret-token"
    assert seen[0].url == "http://127.0.0.1:1/services/flip/api/me"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (body(403, "not_allowed", policy="project-expired"), NotAllowedError),
        (body(404, "not_found"), NotFoundError),
        (body(422, "bad_model"), ModelError),
        (body(401, "not_signed_in"), ConnectionFailedError),
        (body(409, "conflict"), PublicError),
        (body(409, "not_now"), NotAllowedError),
        (body(413, "too_large"), PublicError),
        (httpx.Response(500, text="Internal Server Error"), PublicError),
        (httpx.Response(403, text="<html>Forbidden</html>"), NotAllowedError),
        (httpx.Response(302, headers={"location": "/hub/login"}), ConnectionFailedError),
        (httpx.Response(200, text="<html>"), ConnectionFailedError),
        (httpx.Response(200, json={**ME, "surprise": 1}), ConnectionFailedError),
    ],
)
def test_every_bad_answer_is_a_public_error_that_says_what_to_do(
    answer: httpx.Response, kind: type[PublicError]
) -> None:
    line, _ = connection(answers(answer))
    with pytest.raises(PublicError) as caught:
        line.get("me", Me)
    assert type(caught.value) is kind
    assert caught.value.message
    assert caught.value.mend
    assert "secret-token" not in str(caught.value)


def test_the_hubs_code_and_policy_are_kept() -> None:
    line, _ = connection(answers(body(403, "not_allowed", policy="project-expired", mend="Ask.")))
    with pytest.raises(NotAllowedError) as caught:
        line.get("me", Me)
    assert caught.value.code == "not_allowed"
    assert "project-expired" in caught.value.message
    assert caught.value.mend == "Ask."


def test_violations_become_a_spec_error() -> None:
    violation = {"rule": "too_few_rounds", "where": "rounds", "message": "Too few.", "mend": "Ask for 2."}
    line, _ = connection(answers(body(422, "bad_spec", violations=[violation])))
    with pytest.raises(SpecError) as caught:
        line.get("me", Me)
    assert [v.rule for v in caught.value.violations] == ["too_few_rounds"]


def test_a_hub_that_restarts_is_waited_for_and_the_person_is_told() -> None:
    clock = Clock()
    page = httpx.Response(404, text="<html>no route yet</html>")
    away = [httpx.ConnectError("refused"), httpx.Response(503), httpx.ReadError("reset"), httpx.Response(502), page]
    line, said = connection(answers(*away, httpx.Response(200, json=ME)), clock)
    assert line.get("me", Me).name == "ada"
    assert len(clock.naps) == len(away)
    assert clock.naps == sorted(clock.naps)
    assert len(said) == 2


def test_a_hub_that_stays_away_is_given_up_within_the_patience() -> None:
    clock = Clock()

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    line, said = connection(handler, clock)
    with pytest.raises(ConnectionFailedError) as caught:
        line.get("me", Me)
    assert 15 < clock.now <= 30
    assert said
    assert caught.value.mend


def test_a_hub_that_says_why_it_is_away_is_quoted() -> None:
    line, _ = connection(lambda request: body(503, "unavailable", mend="Wait."))
    with pytest.raises(PublicError) as caught:
        line.get("me", Me)
    assert (caught.value.code, caught.value.mend) == ("unavailable", "Wait.")


def test_a_refusal_is_not_tried_again() -> None:
    clock = Clock()
    line, _ = connection(answers(body(403, "not_allowed")), clock)
    with pytest.raises(NotAllowedError):
        line.get("me", Me)
    assert clock.naps == []


def test_blobs_go_and_come_by_digest() -> None:
    kept: dict[str, bytes] = {}

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            kept[request.url.path] = request.read()
            return httpx.Response(204)
        return httpx.Response(200, content=kept[request.url.path])

    line, _ = connection(handler)
    address = line.upload("p", b"weights")
    assert address == digest(b"weights")
    assert line.download("p", address) == b"weights"
    assert list(kept) == [f"/services/flip/api/projects/p/blobs/{address}"]


def test_a_damaged_blob_is_not_accepted() -> None:
    line, _ = connection(lambda request: httpx.Response(200, content=b"other"))
    with pytest.raises(ConnectionFailedError):
        line.download("p", digest(b"weights"))


def test_posts_send_canonical_json() -> None:
    seen: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.read())
        return httpx.Response(200, json=ME)

    line, _ = connection(handler)
    me = Me.parse(json.dumps(ME))
    line.post("x", me, Me)
    assert seen == [me.canonical()]


def test_lists_are_lists_of_records() -> None:
    line, _ = connection(answers(httpx.Response(200, json=[]), httpx.Response(200, json=[ME])))
    assert line.get_all("projects", ProjectView) == []
    assert [me.name for me in line.get_all("people", Me)] == ["ada"]
