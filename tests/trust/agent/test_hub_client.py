"""Posting to the hub over TLS with its pinned authority, against a small server that says what it is told to say."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from flip_sdk.contract.notices import HubEnrolment
from flip_trust.agent import hub_client as hub_client_module
from flip_trust.agent.hub_client import HubClient, HubRefusedError, HubUnreachableError

PROJECT = {
    "project_id": "breast-cytology",
    "title": "t",
    "lay_summary": "l",
    "public_benefit": "p",
    "researchers": ["ada"],
    "reviewers": [],
    "job_kinds": ["count"],
    "epsilon": 3.0,
    "delta": 1e-5,
    "expires_at": "2027-01-01T00:00:00Z",
}


class Says:
    """A hub that answers each post with the same words, and keeps what it was posted."""

    def __init__(self, folder) -> None:
        self.status, self.body = 204, b""
        self.posts: list[tuple[str, bytes]] = []
        says = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                says.posts.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(says.status)
                self.send_header("content-length", str(len(says.body)))
                self.end_headers()
                self.wfile.write(says.body)

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def enrolment(self, authority: str) -> HubEnrolment:
        return HubEnrolment(
            title="hub",
            address=f"127.0.0.1:{self.server.server_port}",
            governance_key="A" * 43,
            dispatcher_key="A" * 43,
            ca_certificate=authority,
        )

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def says(tls_folder):
    says = Says(tls_folder)
    yield says
    says.close()


@pytest.fixture
def client(says, tls_authority):
    with HubClient(says.enrolment(tls_authority)) as client:
        yield client


def test_a_notice_is_posted_as_it_is(says, client):
    client.post_notice("a.b.c")
    assert says.posts == [("/flip/v1/notices", b"a.b.c")]


def test_projects_are_read(says, client):
    says.status, says.body = 200, json.dumps([PROJECT]).encode()
    assert [project.project_id for project in client.ask_projects("a.b.c")] == ["breast-cytology"]
    assert says.posts == [("/flip/v1/projects", b"a.b.c")]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{}", b'[{"project_id": "x"}]'])
def test_projects_that_cannot_be_read_are_as_no_answer(says, client, body):
    says.status, says.body = 200, body
    with pytest.raises(HubUnreachableError):
        client.ask_projects("a.b.c")


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_try_again(says, client, status):
    says.status = status
    with pytest.raises(HubUnreachableError):
        client.post_notice("a.b.c")


@pytest.mark.parametrize("status", [301, 400, 401, 409, 413])
def test_no_is_no(says, client, status):
    says.status = status
    with pytest.raises(HubRefusedError):
        client.post_notice("a.b.c")


def test_an_endless_answer_is_cut_off(says, client, monkeypatch):
    monkeypatch.setattr(hub_client_module, "MAX_ANSWER_BYTES", 10)
    says.status, says.body = 200, b"x" * 11
    with pytest.raises(HubUnreachableError):
        client.post_notice("a.b.c")


def test_a_hub_that_is_away(says, tls_authority):
    enrolment = says.enrolment(tls_authority).model_copy(update={"address": "127.0.0.1:1"})
    with HubClient(enrolment) as client, pytest.raises(HubUnreachableError):
        client.post_notice("a.b.c")
