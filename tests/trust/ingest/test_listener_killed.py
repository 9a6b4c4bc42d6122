"""The real listener, killed in the middle of its work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from flip_trust.config import TrustConfig
from flip_trust.ingest.hl7 import journal
from flip_trust.ingest.hl7.listener import JOURNAL_FOLDER
from flip_trust.ingest.hl7.load import load_journal
from flip_trust.setup import settings_text

from tests.trust.ingest.hl7_samples import RESULT, Sender
from tests.trust.ingest.samples import tables

pytestmark = pytest.mark.processes
SENDERS, ENOUGH = 3, 60


def start(home: Path) -> tuple[subprocess.Popen[str], int]:
    words = [sys.executable, "-u", "-c", "from flip_trust.cli import app; app()"]
    words += ["ingest", "hl7", "--listen", "127.0.0.1:0", "--home", str(home)]
    program = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"})
    assert program.stdout is not None
    return program, int(program.stdout.readline().rstrip(".\n").rpartition(":")[2])


def keep_sending(port: int, name: int, acknowledged: list[bytes], enough: threading.Event) -> None:
    sender = Sender(port)
    with contextlib.suppress(ConnectionError):
        for number in range(100_000):
            raw = RESULT.replace(b"|r1|", b"|%d-%d|" % (name, number)).replace(b"|F1|", b"|F%d-%d|" % (name, number))
            sender.send(raw)
            assert sender.answer() == ("AA", f"{name}-{number}")
            acknowledged.append(raw)
            if number == ENOUGH:
                enough.set()
    sender.close()


def test_each_acknowledged_message_is_there_after_a_kill(home):
    (home / "trust.toml").write_text(settings_text(TrustConfig(home, "aldgate", "Aldgate")))
    acknowledged: list[bytes] = []
    for run in range(2):
        program, port = start(home)
        enough = threading.Event()
        senders = [
            threading.Thread(target=keep_sending, args=(port, 10 * run + n, acknowledged, enough))
            for n in range(SENDERS)
        ]
        for thread in senders:
            thread.start()
        assert enough.wait(30)
        program.send_signal(signal.SIGKILL)
        program.wait(20)
        for thread in senders:
            thread.join(20)
            assert not thread.is_alive()
    kept = [raw for _, raw in journal.read(home / JOURNAL_FOLDER)]

    assert set(acknowledged) <= set(kept)
    assert len(kept) - len(acknowledged) <= 2 * SENDERS
    assert load_journal(home).refused.total() == 0
    assert len(tables(home)["measurement"]) >= 2 * len(acknowledged)


def test_the_listener_ends_when_told_to(home):
    (home / "trust.toml").write_text(settings_text(TrustConfig(home, "aldgate", "Aldgate")))
    program, port = start(home)
    sender = Sender(port)
    sender.send(RESULT)
    assert sender.answer()[0] == "AA"
    program.send_signal(signal.SIGTERM)

    assert "1 messages taken" in program.communicate(timeout=20)[0]
    assert program.returncode == 0
    sender.close()
