"""Debian's dicom3tools finds nothing wrong with what we write that it did not find in what we read."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from flip_trust.deidentification import profile
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.refusals import RefusedFileError

from tests.trust.deidentification.test_hostile import CORPUS

PROGRAM = "dciodvfy"
DEFLATED = b"1.2.840.10008.1.2.1.99"
_CHANGING = re.compile(r"<[0-9.]*>|\([0-9a-f]{4},[0-9a-f]{4}\)")


@cache
def errors(path: Path) -> set[str]:
    """Errors without the values that de-identification changes."""
    done = subprocess.run([PROGRAM, "-new", path], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return {_CHANGING.sub("", line) for line in lines if line.startswith("Error")}


@pytest.mark.processes
@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="needs Debian's dicom3tools")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "research-default")) for name in profile.names()]
)
def test_no_new_errors_in_files_of_the_real_world(name, keyed, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("flip_trust.deidentification.burned_in._recognised", lambda *_: "")
    engine, checked, new = Engine(profile.load(name), keyed), 0, {}
    for path in CORPUS:
        data = path.read_bytes()
        if DEFLATED in data[:1000]:  # dciodvfy takes deflated data for plain elements
            continue
        try:
            made = engine.clean(data)
        except RefusedFileError:
            continue
        written = tmp_path / path.name
        written.write_bytes(made.frame + made.data_set)
        checked += 1
        new[path.name] = errors(written) - errors(path)
    assert {file: found for file, found in new.items() if found} == {}
    assert checked > 100
