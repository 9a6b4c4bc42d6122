"""A small hospital's images in, by the real sender and receiver; and a demo that stops where something is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flip_trust.imaging.cleaned import cleaned

from demo.imaging import leaks, sending
from demo.imaging.bundled import copy_bundled
from demo.imaging.hospitals import hospital
from demo.imaging.modality import write_images
from demo.imaging.story import ImagingStory, held_by, load
from demo.platform import Platform
from demo.processes import PlatformError, free_ports

SMALL = replace(hospital("carrick"), persons=3, ill=1)


@pytest.fixture
def platform(tmp_path):
    """A Trust's home with records, and no hub."""
    platform = Platform(tmp_path, ())
    home = platform.trust_home(SMALL.name)
    home.mkdir(parents=True)
    (home / "trust.toml").write_text(f'name = "{SMALL.name}"\ntitle = "{SMALL.title}"\n', encoding="utf-8")
    load(SMALL, home)
    yield platform
    platform.stop()


@pytest.fixture
def story(platform):
    return ImagingStory(platform, "no one signs in")


@pytest.mark.processes
def test_what_is_sent_is_deidentified_and_what_is_left_is_found(platform, story):
    folder, home = sending.images_of(platform, SMALL), platform.trust_home(SMALL.name)
    counts = write_images(SMALL, folder), copy_bundled(folder, 2, 30)
    port = free_ports(["dicom"])["dicom"]
    sending.start_receiver(platform, SMALL, port)

    sent = sending.send(platform, SMALL, port, counts)
    again = sending.send(platform, SMALL, port, counts)
    told = sending.take_the_rest(platform, SMALL)
    held = story.wait_for_images(SMALL, sent)
    finding = story.search(SMALL)

    assert sent == again
    assert sent.stored + len(sent.unsent) == sum(counts)
    assert told.startswith("Taken:")
    assert held == held_by(home)
    assert held.cleaned + sum(held.refused.values()) == held.indexed
    assert finding.files == counts[0]
    assert finding.persons == 3

    # an identifier slips through: the demo says so and stops
    own = [Path(path) for path in cleaned(home).collect()["path"]]
    chosen = next(path for path in own if SMALL.device.model.encode() in path.read_bytes())
    chosen.write_bytes(chosen.read_bytes() + SMALL.address.upper().encode())
    with pytest.raises(PlatformError):
        story.search(SMALL)
    assert leaks.search_cleaned(SMALL, home).left == ((chosen, SMALL.address),)


@pytest.mark.processes
def test_a_scanner_that_the_trust_does_not_know_sends_nothing(platform):
    folder = sending.images_of(platform, SMALL)
    counts = write_images(replace(SMALL, persons=1), folder), 0
    port = free_ports(["dicom"])["dicom"]
    sending.start_receiver(platform, SMALL, port)
    stranger = replace(SMALL, device=replace(SMALL.device, title="STRANGER"))

    with pytest.raises(PlatformError):
        sending.send(platform, stranger, port, counts)


def test_answers_are_those_to_the_file_before():
    said = """I: Sending file: /a/1.dcm
I: Received Store Response (Success)
I: Sending file: /a/2.dcm
E: Store Failed, file: /a/2.dcm:
I: Sending file: /a/3.dcm
I: Received Store Response (Refused: OutOfResources)
"""

    assert sending.answers_in(said) == ({Path("/a/1.dcm")}, {Path("/a/3.dcm"): "Refused: OutOfResources"})
