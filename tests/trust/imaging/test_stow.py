"""STOW-RS: who may send, what is kept, and the answer to each instance."""

from __future__ import annotations

import io
import socket

import httpx
import pytest
from flip_trust.imaging.stow import Stow
from pydicom import dcmread

TOKEN = "a-token"


@pytest.fixture
def stow(spool):
    with Stow(spool, TOKEN, "127.0.0.1") as stow:
        yield stow


def encoded(dataset):
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def body(*files, boundary="b-1"):
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + file + b"\r\n" for file in files) + f"--{boundary}--\r\n".encode()


def post(stow, content, path="/studies", token=TOKEN, kind="multipart/related; type=application/dicom; boundary=b-1"):
    headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
    return httpx.post(f"http://127.0.0.1:{stow.port}{path}", content=content, headers=headers)


def uids(answer, sequence, tag):
    return [one[tag]["Value"][0] for one in answer.json().get(sequence, {}).get("Value", [])]


def test_instances_are_kept_byte_for_byte(stow, spool, study):
    files = [encoded(study.instance()) for _ in range(3)]
    answer = post(stow, body(*files), f"/studies/{study.uid}")

    assert answer.status_code == 200
    assert len(uids(answer, "00081199", "00081155")) == 3
    assert sorted((spool.raw / name).read_bytes() for name in spool.names()) == sorted(files)


def test_a_body_in_chunks(stow, spool, study):
    content = body(encoded(study.instance(size=64)))
    pieces = (content[at : at + 100] for at in range(0, len(content), 100))

    assert post(stow, pieces).status_code == 200
    assert len(list(spool.names())) == 1


def test_one_bad_file_does_not_stop_the_rest(stow, spool, study):
    answer = post(stow, body(b"no image", encoded(study.instance()), encoded(study.instance())[:200]))

    assert answer.status_code == 202
    assert len(uids(answer, "00081199", "00081155")) == 1
    assert uids(answer, "00081198", "00081197") == [0xC000, 0xC000]
    assert len(list(spool.names())) == 1


def test_an_instance_of_another_study_is_refused(stow, spool, study):
    assert post(stow, body(encoded(study.instance())), "/studies/1.2.3").status_code == 409
    assert list(spool.names()) == []


@pytest.mark.parametrize("token", ["x", "wrong", "ä"])
def test_without_the_token_nothing_is_read(stow, token, study):
    headers = {"Authorization": f"Bearer {token}".encode()}

    assert httpx.post(f"http://127.0.0.1:{stow.port}/studies", headers=headers).status_code == 401


def test_below_the_floor_the_sender_is_told_to_come_back(stow, spool, study, monkeypatch):
    monkeypatch.setattr(spool, "_floor", 1 << 60)
    answer = post(stow, body(encoded(study.instance())))

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert list(spool.names()) == []


@pytest.mark.parametrize(
    ("content", "path", "kind", "status"),
    [
        (b"{}", "/studies", "application/json", 415),
        (b"", "/studies", "multipart/related; type=application/dicom+json; boundary=b-1", 415),
        (b"--b-1\r\n", "/studies", "multipart/related; boundary=b-1", 400),
        (b"--b-1--\r\n", "/studies", "multipart/related; boundary=b-1", 400),
        (b"", "/elsewhere", "multipart/related; boundary=b-1", 404),
    ],
)
def test_other_requests_are_refused(stow, content, path, kind, status):
    assert post(stow, content, path, kind=kind).status_code == status


def test_a_sender_that_hangs_up_midway_leaves_nothing(stow, spool, study):
    content = body(encoded(study.instance(size=64)))
    head = (
        f"POST /studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(content)}\r\n"
        "Content-Type: multipart/related; boundary=b-1\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", stow.port), timeout=10) as connection:
        connection.sendall(head.encode() + content[:-500])
        connection.shutdown(socket.SHUT_WR)
        assert b" 400 " in connection.recv(1000)

    assert list(spool.names()) == []


def test_instances_are_read_back(stow, spool, study):
    dataset = study.instance()
    post(stow, body(encoded(dataset)))

    assert [dcmread(spool.raw / name) for name in spool.names()] == [dataset]
