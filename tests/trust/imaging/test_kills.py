"""A real receiver, killed in the middle of a real transfer: whatever was acknowledged is there."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading

import psutil
import pytest
from flip_trust.imaging.cleaned import cleaned
from flip_trust.imaging.index import Index
from pydicom import dcmread

from tests.trust.imaging.senders import ECHOSCU, QUICK, STORESCU, Study
from tests.trust.world import wait_until

pytestmark = pytest.mark.processes
INSTANCES = 500


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "trust.toml").write_text('name = "aldgate"\ntitle = "Aldgate"\n')
    return tmp_path / "home"


@pytest.fixture
def start(home):
    """Starts ``flip-trust receive`` and waits until it listens; gives its process and its port."""
    running = []

    def started(*options):
        command = [sys.executable, "-c", "from flip_trust.cli import app; app()", "receive", "--home", str(home)]
        command += ["--allow", "MODALITY", "--port", "0", "--keep-free", "0", *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=QUICK)
        running.append(process)
        for line in process.stderr:
            if found := re.search(r'"receiver.started".*"port": (\d+)', line):
                break
        threading.Thread(target=process.stderr.read, daemon=True).start()
        return process, int(found.group(1))

    yield started
    for process in running:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.wait(10)
        for child in children:
            child.wait(20)


def sender(port, folder):
    command = [STORESCU, "-v", "-aet", "MODALITY", "-aec", "FLIP", "+sd", "127.0.0.1", str(port), str(folder)]
    return subprocess.Popen(command, env=QUICK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def acknowledged(lines, folder):
    """SOP Instance UIDs of the files whose sending was answered with success."""
    current, done = None, []
    for line in lines:
        if found := re.search(r"Sending file: (\S+)", line):
            current = found.group(1)
        elif "Received Store Response (Success)" in line:
            done.append(current)
    return {dcmread(folder / name.rpartition("/")[2], stop_before_pixels=True).SOPInstanceUID for name in done}


def test_what_was_acknowledged_before_a_kill_is_there_after_it(home, start, tmp_path):
    Study(size=128).write(tmp_path / "out", INSTANCES)
    receiver, port = start("--no-index")
    sending, lines = sender(port, tmp_path / "out"), []
    for line in sending.stdout:
        lines.append(line)
        if sum("Received Store Response" in one for one in lines) == 120:
            receiver.send_signal(signal.SIGKILL)
            break
    lines += sending.stdout.readlines()
    sending.wait(30)
    receiver.wait(10)
    sent = acknowledged(lines, tmp_path / "out")

    assert 120 <= len(sent) < INSTANCES
    _, port = start("--no-index")
    raw = home / "imaging" / "raw"
    kept = {dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in raw.rglob("*.dcm")}
    assert sent <= kept
    assert not [path for path in (home / "imaging" / "incoming").rglob("*") if path.is_file()]
    sending = sender(port, tmp_path / "out")
    assert "Success" in sending.communicate(timeout=60)[0]
    assert len(list(raw.rglob("*.dcm"))) == INSTANCES
    assert Index(home).run().indexed == INSTANCES


def test_a_receiver_indexes_and_de_identifies_what_comes_and_ends_on_sigterm(home, start, tmp_path):
    Study().write(tmp_path / "out", 5)
    receiver, port = start()
    sender(port, tmp_path / "out").communicate(timeout=60)
    wait_until(lambda: cleaned(home).collect().height == 5)
    workers = psutil.Process(receiver.pid).children(recursive=True)
    assert (home / "omop" / "image_series.parquet").exists()
    receiver.send_signal(signal.SIGTERM)

    assert receiver.wait(20) == 0
    assert psutil.wait_procs(workers, 20)[1] == []
    assert subprocess.run([ECHOSCU, "127.0.0.1", str(port)], check=False, capture_output=True).returncode != 0


def test_workers_do_not_outlive_a_killed_receiver(start):
    receiver, _ = start()
    workers = psutil.Process(receiver.pid).children()
    receiver.kill()
    receiver.wait(10)

    assert len(workers) >= 2
    assert psutil.wait_procs(workers, 30)[1] == []


@pytest.mark.slow
def test_a_receiver_killed_while_it_de_identifies_is_gone_on_with(home, start, tmp_path):
    Study().write(tmp_path / "out", 40)
    receiver, port = start()
    sender(port, tmp_path / "out").communicate(timeout=60)
    wait_until(lambda: list(home.rglob("imaging/deidentified/**/*.dcm")))
    workers = psutil.Process(receiver.pid).children(recursive=True)
    receiver.kill()
    receiver.wait(10)

    assert len(workers) >= 3
    assert psutil.wait_procs(workers, 30)[1] == []
    start()
    wait_until(lambda: cleaned(home).collect().height == 40)
    assert cleaned(home).collect()["path"].n_unique() == 40
