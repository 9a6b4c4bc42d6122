"""Real images that the engine refused: tried again after a mask was added, and deleted for good."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flip_trust.imaging.cleaning import QUARANTINE, Cleaning
from flip_trust.imaging.files import keep
from flip_trust.imaging.index import Index
from flip_trust.imaging.spool import Spool
from flip_trust.ingest import store
from flip_trust.scaleout import HERE

from tests.trust.imaging.senders import Study

MASKED = """\
title: Ours
purpose: A mask for the one device that we have.
extends: research-default
masks:
  - manufacturer: Acme
    boxes: [[0, 0, 16, 4]]
"""


@pytest.fixture
def refused(console) -> list[str]:
    """Two instances whose headers say that text is burned in, received, indexed and refused."""
    home, study = console.trust.config.home, Study()
    with Spool(home / "imaging", floor=0) as spool:
        for _ in range(2):
            stream = io.BytesIO()
            study.instance(Manufacturer="Acme", BurnedInAnnotation="YES").save_as(stream, enforce_file_format=True)
            keep(spool, [stream.getvalue()])
    Index(home).run()
    Cleaning(home).run(HERE)
    return sorted(path.name for path in (home / "quarantine" / QUARANTINE).glob("*.dcm"))


def mask(home: Path) -> None:
    (home / "ours.yaml").write_text(MASKED)
    with (home / "trust.toml").open("a") as settings:
        settings.write('deidentification_profile = "ours.yaml"\n')


def page_of(name: str) -> str:
    return f"/quarantine/images/{QUARANTINE}/{name}"


def test_one_that_is_tried_again_under_the_same_profile_is_refused_again(console, refused) -> None:
    browser = console.browser()
    assert "Acme" in browser.open(page_of(refused[0])).text
    shown = browser.send(f"{page_of(refused[0])}/retry").text
    assert "Of 1 image, 0 are de-identified now" in shown
    assert "no mask of the profile covers it" in shown


def test_after_a_mask_was_added_they_are_let_through(console, refused) -> None:
    home, browser = console.trust.config.home, console.browser()
    mask(home)
    browser.open("/quarantine")
    reason = "the file says that text is burned in, and no mask of the profile covers it"
    assert "Of 2 images, 2 are de-identified now" in browser.send("/quarantine/retry", reason=reason).text
    assert "No image was refused" in browser.open("/quarantine").text
    assert Cleaning(home).figures().done == 2
    (event,) = console.trust.events("quarantine.retried")
    assert event["details"] == {"tried": 2, "let_through": 2}


def test_one_that_was_deleted_does_not_come_back_under_another_profile(console, refused) -> None:
    home, browser = console.trust.config.home, console.browser()
    browser.open(page_of(refused[0]))
    browser.send(f"{page_of(refused[0])}/delete", reason="The patient asked for it")
    mask(home)
    tally = Cleaning(home).run(HERE)
    assert (tally.done, tally.refused) == (1, {"DELETED": 1})
    assert "No image was refused" in browser.open("/quarantine").text


def test_while_images_are_being_de_identified_it_says_so_and_waits_for_nobody(console, refused) -> None:
    browser, cleaning = console.browser(), Cleaning(console.trust.config.home)
    browser.open(page_of(refused[0]))
    with store.writing(cleaning.place.folder):
        shown = browser.send(f"{page_of(refused[0])}/retry")
    assert (shown.status_code, "being de-identified just now" in shown.text) == (422, True)
