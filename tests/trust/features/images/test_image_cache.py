"""What is kept of images: used again, given up for room, forgotten on request, and sound whatever is killed when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from flip_sdk.contract.images import ScaleIntensityRange
from flip_trust.cli import app
from flip_trust.features.images import cache, filling
from flip_trust.scaleout import HERE
from typer.testing import CliRunner

from tests.trust.features.images.hospital import series
from tests.trust.features.images.test_image_rows import ASKED, SMALL, persons, rows

WINDOWED = ASKED.model_copy(update={"transforms": (ScaleIntensityRange(a_min=-1000, a_max=200),), "low": 0, "high": 1})


@pytest.fixture
def one(hospital):
    hospital.send(1, date(2024, 1, 1), series(scan=SMALL))
    hospital.clean()
    return hospital


@pytest.fixture
def nothing_made(monkeypatch):
    """Fails whatever would have to be made."""

    def start():
        monkeypatch.setattr("flip_trust.features.images.extraction._batch", None)

    return start


def shards(hospital):
    return sorted((hospital.home / "features" / "images").glob("*/*.f16"))


def test_what_was_made_is_used_again_by_jobs_that_choose_otherwise(one, nothing_made):
    _, first = rows(one, ASKED, persons(1))
    nothing_made()
    _, again = rows(one, ASKED.model_copy(update={"which": "all", "body_part": "CHEST", "uniform": False}), persons(1))

    assert np.array_equal(first, again)
    assert len(shards(one)) == 1
    private = [*shards(one), *(one.home / "features").rglob("*"), one.home / "features"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)


def test_another_pipeline_is_kept_apart(one):
    rows(one, ASKED, persons(1))
    rows(one, WINDOWED, persons(1))
    assert len({path.parent for path in shards(one)}) == 2


def test_another_profile_makes_everything_anew(one, monkeypatch):
    rows(one, ASKED, persons(1))
    monkeypatch.setenv("FLIP_TRUST_DEIDENTIFICATION_PROFILE", "basic")
    assert rows(one, ASKED, persons(1))[0].is_empty()
    one.clean()
    assert len(rows(one, ASKED, persons(1))[0]) == 1
    assert len(shards(one)) == 2


def test_the_longest_unused_makes_room_and_is_made_again_when_it_is_asked_for(one):
    rows(one, ASKED, persons(1))
    rows(one, WINDOWED, persons(1))
    [old] = [path for path in shards(one) if path.parent.name == filling.pipeline_of(ASKED, one.home).digest()[-16:]]
    os.utime(old, (1, 1))

    assert cache.make_room(one.home, 2 * old.stat().st_size) == 0
    assert cache.make_room(one.home, old.stat().st_size) == 1
    assert old not in shards(one)
    assert len(shards(one)) == 1
    assert len(rows(one, ASKED, persons(1))[0]) == 1


def test_what_is_in_use_is_not_given_up(one):
    rows(one, ASKED, persons(1))
    with cache.opened(one.home, filling.pipeline_of(ASKED, one.home), ASKED.values):
        assert cache.make_room(one.home, 0) == 0
    assert cache.make_room(one.home, 0) == 1


def test_a_size_of_nothing_still_serves_jobs(one, monkeypatch):
    monkeypatch.setenv("FLIP_TRUST_IMAGE_CACHE_GIGABYTES", "0")
    assert len(rows(one, ASKED, persons(1))[0]) == 1
    assert shards(one) == []


def test_files_that_no_row_names_are_swept_away(one):
    rows(one, ASKED, persons(1))
    [shard] = shards(one)
    left = shard.with_name("0123456789abcdef.f16")
    left.write_bytes(b"\0" * 10)
    shard.with_name(".0123456789abcdee.f16").write_bytes(b"\0")
    rows(one, ASKED, persons(1))

    assert shards(one) == [shard]
    assert not list(shard.parent.glob(".*.f16"))


KILLED = """
import os, signal, sys
from pathlib import Path
from flip_trust.features.images import cache, extraction
from tests.trust.features.images.test_image_rows import ASKED, persons
from flip_trust.features.images import image_rows
from flip_trust.scaleout import HERE
extraction.BATCH = 1
kept_add, left = cache.Kept.add, [2]
def add(self, rows):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    kept_add(self, rows)
cache.Kept.add = add
image_rows(ASKED, persons(1, 2, 3), Path(sys.argv[1]), 4, Path(sys.argv[1]) / "images.f16", HERE)
"""


@pytest.mark.processes
def test_a_kill_costs_what_was_under_way(hospital, monkeypatch):
    for person in (1, 2, 3):
        hospital.send(person, date(2024, 1, person), series(scan=SMALL))
    hospital.clean()
    done = subprocess.run([sys.executable, "-c", KILLED, str(hospital.home)], check=False)

    assert done.returncode == -signal.SIGKILL
    assert not (hospital.home / "images.f16").exists()
    assert len(shards(hospital)) == 2
    made = []
    attempt = filling.extract
    monkeypatch.setattr(filling, "extract", lambda orders, *rest: made.extend(orders) or attempt(orders, *rest))
    assert len(rows(hospital, ASKED, persons(1, 2, 3))[0]) == 3
    assert len(made) == 2


def run(hospital, *arguments):
    done = CliRunner().invoke(app, ["features", *arguments, "--home", str(hospital.home)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands(one, tmp_path, monkeypatch, nothing_made):
    monkeypatch.setattr("flip_trust.scaleout.Where", lambda *_: HERE)
    one.send(2, date(2023, 1, 1), series(scan=SMALL, BitsAllocated=13))
    one.clean()
    spec = tmp_path / "images.json"
    spec.write_text(ASKED.model_dump_json())

    said = run(one, "warm", str(spec))
    assert "1 images of 1 series or slides are kept; 2 of these were made now." in said
    assert "1 could not be used: it cannot be read (ValueError)." in said
    told = run(one, "status")
    assert "2d, 8×8" in told
    assert "current" in told
    assert "Forgotten: 1 series" in run(one, "clear", "--failed")
    assert len(shards(one)) == 1
    nothing_made()
    assert len(rows(one, ASKED, persons(1))[0]) == 1
    assert "Forgotten: 1 series" in run(one, "clear")
    assert shards(one) == []
    assert "0.0 MB in all" in run(one, "status")


def test_a_file_that_describes_no_images(one, tmp_path):
    spec = tmp_path / "job.json"
    spec.write_text('{"images": {"kind": "series"}}')
    done = CliRunner().invoke(app, ["features", "warm", str(spec), "--home", str(one.home)])
    assert done.exit_code == 1
