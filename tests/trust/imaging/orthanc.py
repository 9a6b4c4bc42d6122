"""A real PACS: Debian's Orthanc with its DICOMweb plugin, on free ports, with a folder of its own."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydicom.dataset import Dataset

from tests.trust.imaging.senders import QUICK, STORESCU
from tests.trust.world import wait_until

ORTHANC, PLUGIN = "/usr/sbin/Orthanc", "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
NAME, PASSWORD = "reader", "of images"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Orthanc:
    """A PACS that knows the Trust's FLIP at ``flip_port``, and nobody else."""

    folder: Path
    port: int = field(default_factory=free_port)
    web_port: int = field(default_factory=free_port)
    flip_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}/dicom-web"

    def start(self) -> None:
        """Start it, again on the same folder and ports if it was killed."""
        flip = {"AET": "FLIP", "Host": "127.0.0.1", "Port": self.flip_port, "AllowGet": True, "AllowMove": True}
        settings: dict[str, Any] = {
            "Name": "PACS", "StorageDirectory": str(self.folder), "IndexDirectory": str(self.folder),
            "DicomPort": self.port, "DicomAet": "PACS", "HttpPort": self.web_port, "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True, "RegisteredUsers": {NAME: PASSWORD}, "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": False, "DicomAlwaysAllowGet": False, "DicomCheckCalledAet": True,
            "DicomModalities": {"flip": flip}, "Plugins": [PLUGIN], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }  # fmt: skip
        self.folder.mkdir(exist_ok=True)
        (self.folder / "orthanc.json").write_text(json.dumps(settings))
        command = [ORTHANC, str(self.folder / "orthanc.json")]
        self.process = subprocess.Popen(command, env=QUICK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def take(self, folder: Path, *studies: list[Dataset]) -> None:
        """Store studies in it."""
        folder.mkdir()
        for number, dataset in enumerate(dataset for study in studies for dataset in study):
            dataset.save_as(folder / f"{number:05}.dcm", enforce_file_format=True)
        command = [STORESCU, "-aet", "SCANNER", "-aec", "PACS", "+sd", "127.0.0.1", str(self.port), str(folder)]
        subprocess.run(command, env=QUICK, check=True, capture_output=True)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/studies", auth=(NAME, PASSWORD)).status_code < 300
        except httpx.TransportError:
            return False


@contextmanager
def running(folder: Path) -> Iterator[Orthanc]:
    pacs = Orthanc(folder)
    pacs.start()
    try:
        yield pacs
    finally:
        pacs.kill()
