"""A hospital's images to its Trust: ``flip-trust receive`` there, dcmtk's ``storescu`` here, as a modality sends."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from demo.imaging.bundled import FOLDER, copy_bundled
from demo.imaging.hospitals import HOSPITALS, Hospital
from demo.imaging.modality import write_images
from demo.platform import Platform
from demo.processes import PlatformError

STORESCU, ECHOSCU = "/usr/bin/storescu", "/usr/bin/echoscu"
AE_TITLE = "FLIP"
KEEP_FREE = "0.5"
_QUICK = {"TCP_NODELAY": "1"}
"""Debian's programs wait 45 ms for each instance on loopback without it."""
_SAID = re.compile(r"^I: Sending file: (.*)$|^I: (Received Store Response) \((.*)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Sent:
    """What a sender did.

    Attributes:
        made: instances of the hospital's own scanner, all of which were sent.
        bundled: of pydicom's files, how many lay beside them.
        stored: instances that the Trust acknowledged.
        unsent: files that the sender did not send: no images to it, or compressed in a way that it does not know.
    """

    made: int
    bundled: int
    stored: int
    unsent: tuple[Path, ...]


def fill_folders(platform: Platform) -> dict[str, tuple[int, int]]:
    """The hospitals' scanners make their images, side by side; by name, how many, and how many of pydicom's."""
    folders = [images_of(platform, place) for place in HOSPITALS]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        made = list(pool.map(write_images, HOSPITALS, folders))
    bundled = [copy_bundled(folder, part, len(folders)) for part, folder in enumerate(folders)]
    return {place.name: counts for place, counts in zip(HOSPITALS, zip(made, bundled, strict=True), strict=True)}


def images_of(platform: Platform, place: Hospital) -> Path:
    """Where a hospital's scanner keeps its images."""
    return platform.folder / "hospitals" / place.name / "images"


def start_receiver(platform: Platform, place: Hospital, port: int) -> None:
    """Start ``flip-trust receive`` at a Trust, for the hospital's scanner alone, and wait until it answers."""
    home = platform.trust_home(place.name)
    platform.launch(
        *(f"receive-{place.name}", platform.command("flip-trust"), "receive", "--home", str(home)),
        *("--ae-title", AE_TITLE, "--allow", place.device.title, "--port", str(port), "--keep-free", KEEP_FREE),
        folder=home,
    )
    platform.wait_until(
        lambda: _run(ECHOSCU, "-aet", place.device.title, "-aec", AE_TITLE, "127.0.0.1", str(port)).returncode == 0,
        120,
        f"the receiver of {place.name} answers a C-ECHO",
        log=f"receive-{place.name}",
    )


def send(platform: Platform, place: Hospital, port: int, counts: tuple[int, int]) -> Sent:
    """Send all that a hospital has, by C-STORE over one association.

    Raises:
        PlatformError: an instance of the hospital's own was not sent, or one was refused.
    """
    folder = images_of(platform, place)
    done = _run(
        *(STORESCU, "-v", "-nh", "-R", "+sd", "+r", "-aet", place.device.title, "-aec", AE_TITLE),
        *("127.0.0.1", str(port), str(folder)),
    )
    said = done.stdout + done.stderr
    stored, refused = answers_in(said)
    unsent = tuple(sorted(path for path in folder.rglob("*") if path.is_file() and path not in stored))
    own = [path for path in unsent if folder / FOLDER not in path.parents]
    if done.returncode or refused or own:
        what = f"{len(refused)} instances were refused, {len(own)} of the hospital's own were not sent"
        raise PlatformError(f"storescu ended with {done.returncode}; {what}.\n{said[-2000:]}")
    return Sent(*counts, len(stored), unsent)


def answers_in(said: str) -> tuple[set[Path], dict[Path, str]]:
    """What storescu said of each file that it sent: those acknowledged, and the answers to the others."""
    stored, refused, current = set[Path](), dict[Path, str](), Path()
    for sending, answered, answer in _SAID.findall(said):
        if not answered:
            current = Path(sending)
        elif answer == "Success":
            stored.add(current)
        else:
            refused[current] = answer
    return stored, refused


def take_the_rest(platform: Platform, place: Hospital) -> str:
    """What the sender did not take for images is offered as files; what ``flip-trust ingest dicom`` says of it."""
    folder = images_of(platform, place) / FOLDER
    # the receiver's own worker de-identifies all that is indexed
    options = ("--keep-free", KEEP_FREE, "--no-deidentify")
    told = platform.flip_trust(place.name, "ingest", "dicom", str(folder), *options)
    return next((line for line in told.splitlines() if line.startswith("Taken:")), told.strip())


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **_QUICK}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=600)
