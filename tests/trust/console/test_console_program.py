"""The real program: whom it lets in, that it needs no hub, and that a kill leaves nothing half done."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from flip_trust.audit import verify_database
from flip_trust.cli import app
from flip_trust.database import Database
from typer.testing import CliRunner

from tests.trust.console.world import open_console
from tests.trust.world import PROJECT, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("console")]
PROGRAM = str(Path(sys.executable).with_name("flip-trust"))


@contextmanager
def running(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client, str]]:
    """The console, in a program of its own: the program, a browser of it, and the secret of its link."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PROGRAM, "console", "--home", str(home), "--port", str(port), "--steward", "sam", *options]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        printed = ""
        for line in program.stdout:
            printed += line
            if "until Ctrl-C" in line:
                break
        found = re.search(r"enter\?link=(\S+)", printed)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=20)) as client:
            yield program, client, found[1] if found else ""
    finally:
        if program.poll() is None:
            program.send_signal(signal.SIGINT)
        program.wait(20)
        program.stdout.close()


def come_in(client: httpx.Client, link: str) -> str:
    """Come in, and the token of every form."""
    page = client.post("/enter", data={"link": link}, follow_redirects=True).text
    return re.search(r'name="form_token" value="([0-9a-f]+)"', page)[1]


def test_it_needs_no_hub_and_a_kill_leaves_a_whole_decision_or_none(trust) -> None:
    console = open_console(trust)
    console.hear()
    trust.opt_in()
    with running(trust.config.home) as (program, client, link):
        token = come_in(client, link)
        assert client.get(f"/projects/{PROJECT}").status_code == 200

        made: list[int] = []

        def decide(change: str) -> bool:
            try:
                sent = client.post(f"/projects/{PROJECT}/{change}", data={"form_token": token, "reason": "again"})
            except httpx.HTTPError:
                return False
            made.append(sent.status_code)
            return True

        def decide_until_it_is_gone() -> None:
            while all(decide(change) for change in ("pause", "resume")):
                pass

        deciding = threading.Thread(target=decide_until_it_is_gone)
        deciding.start()
        wait_until(lambda: len(made) > 6)
        program.kill()
        deciding.join(20)
    database = Database.open(trust.config.database)
    verify_database(database)
    last = database.read("SELECT event FROM audit WHERE event LIKE 'consent.%' ORDER BY sequence DESC LIMIT 1")[0]
    state = database.read("SELECT state FROM consent")[0]["state"]
    assert last["event"] == f"consent.{state}"
    assert set(made) == {303}
    database.close()


@pytest.mark.parametrize(
    "options",
    [
        ("--role", "king"),
        ("--host", "0.0.0.0"),
        ("--host", "hospital.example"),
        ("--tls-certificate", "cert.pem"),
        ("--host", "0.0.0.0", "--tls-certificate", "c.pem", "--tls-key", "k.pem"),
    ],
)
def test_a_console_that_would_be_open_to_others_is_not_opened(trust, options) -> None:
    told = CliRunner().invoke(app, ["console", "--home", str(trust.config.home), *options])
    assert told.exit_code == 1


def test_people_are_registered_listed_and_closed(trust) -> None:
    home = ["--home", str(trust.config.home)]
    words = "seven lamps over aldgate\n" * 2
    added = CliRunner().invoke(app, ["steward", "add", "mo", "--role", "auditor", *home], input=words)
    assert "mo may sign in as auditor." in added.output
    listed = CliRunner().invoke(app, ["steward", "list", *home])
    assert "auditor" in listed.output
    assert CliRunner().invoke(app, ["steward", "close", "mo", *home]).exit_code == 0
    assert CliRunner().invoke(app, ["steward", "close", "nobody", *home]).exit_code == 1
