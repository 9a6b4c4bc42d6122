"""How many instances a second does the receiver acknowledge, each one on the disk first?

250 CT-like instances of 512×512 go by one sender, dcmtk's storescu, over one association to ours, to Orthanc and to
dcmtk's storescp: new instances each turn, in another order each turn. Rates are medians over the turns; the ratio is
the median of the turns' own ratios, because a shared disk is fast in one minute and slow in the next. The disk is quiet
when a turn begins and nothing is deleted under way, so that nobody pays for what another left to be written. Ours
acknowledges after it synchronised the file and its folder. Orthanc synchronises the file (``SyncStorageArea``, its
preset); storescp synchronises nothing, and is there as the ceiling. ``TCP_NODELAY=1`` is in everybody's environment:
Debian's programs stall without it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from flip_trust.imaging.spool import names_in
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.rows import Row

INSTANCES, SIZE, ROUNDS = 250, 512, 7
QUICK = {**os.environ, "TCP_NODELAY": "1", "OMP_NUM_THREADS": "1"}
_ORTHANC = "/usr/sbin/Orthanc"


def run() -> Iterator[Row]:
    """Two rows: ours beside Orthanc, and beside storescp."""
    with tempfile.TemporaryDirectory(prefix="flip-receive-") as name:
        folder = Path(name)
        with ExitStack() as stack:
            ports = {
                "FLIP": stack.enter_context(_ours(folder / "home")),
                "ORTHANC": stack.enter_context(_orthanc(folder / "orthanc")),
                "STORESCP": stack.enter_context(_storescp(folder / "storescp")),
            }
            rates: dict[str, list[float]] = {title: [] for title in ports}
            for turn in range(ROUNDS + 1):
                generate(folder / f"send-{turn}", INSTANCES)
                for title in [*ports, *ports][turn % 3 : turn % 3 + 3]:
                    rate = _rate(title, ports[title], folder / f"send-{turn}")
                    if turn:
                        rates[title].append(rate)
        kept = sum(1 for _ in names_in(folder / "home" / "imaging" / "raw"))
        assert kept == INSTANCES * (ROUNDS + 1), "the receiver did not keep what it acknowledged"
    ours, orthanc, storescp = (median(rates[title]) for title in ("FLIP", "ORTHANC", "STORESCP"))
    beside_orthanc, beside_storescp = (_ratio(rates["FLIP"], rates[title]) for title in ("ORTHANC", "STORESCP"))
    what = f"receive/instances of {SIZE}×{SIZE} a second, acknowledged after fsync"
    yield Row(what, ours, orthanc, "1/s", beside_orthanc, ">= 1 of Orthanc", beside_orthanc >= 1)
    yield Row(f"{what}, beside storescp without fsync", ours, storescp, "1/s", beside_storescp, "none: told", True)


def generate(folder: Path, count: int) -> None:
    """CT-like instances of one series: a noisy disc with sharp edges."""
    folder.mkdir()
    random, study, series = np.random.default_rng(7), generate_uid(), generate_uid()
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    body = np.where(x**2 + y**2 < 0.7, 1040, 24)
    for number in range(count):
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.PatientID, dataset.PatientName, dataset.StudyDate = "B-1", "Bench^Mark", "20240101"
        dataset.Modality, dataset.InstanceNumber = "CT", number + 1
        dataset.Rows = dataset.Columns = SIZE
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelData = (body + random.integers(0, 60, body.shape)).astype(np.uint16).tobytes()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def _rate(title: str, port: int, folder: Path) -> float:
    command = ["/usr/bin/storescu", "-aet", "BENCH", "-aec", title, "+sd", "127.0.0.1", str(port), str(folder)]
    os.sync()
    begun = time.perf_counter()
    subprocess.run(command, env=QUICK, check=True, capture_output=True)
    return INSTANCES / (time.perf_counter() - begun)


@contextmanager
def _ours(home: Path) -> Iterator[int]:
    home.mkdir()
    (home / "trust.toml").write_text('name = "bench"\ntitle = "Bench"\n')
    port = _free()
    command = [sys.executable, "-c", "from flip_trust.cli import app; app()", "receive", "--home", str(home)]
    command += ["--allow", "BENCH", "--port", str(port), "--keep-free", "0", "--no-index"]
    with _running(command, port):
        yield port


@contextmanager
def _orthanc(folder: Path) -> Iterator[int]:
    folder.mkdir()
    port = _free()
    settings = {
        "StorageDirectory": str(folder), "IndexDirectory": str(folder), "DicomPort": port, "DicomAet": "ORTHANC",
        "HttpServerEnabled": False, "DicomAlwaysAllowStore": True, "Plugins": [],
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with _running([_ORTHANC, str(folder / "orthanc.json")], port):
        yield port


@contextmanager
def _storescp(folder: Path) -> Iterator[int]:
    folder.mkdir()
    port = _free()
    with _running(["/usr/bin/storescp", "--fork", "-od", str(folder), str(port)], port):
        yield port


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, env=QUICK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    waiting = threading.Event()
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            waiting.wait(0.1)
        else:
            return
    raise TimeoutError(port)


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
