"""A home with a small vocabulary of made-up concepts, and records of every kind about one person."""

from __future__ import annotations

from pathlib import Path

import pytest
from flip_trust.ingest import vocabulary

from tests.trust.ingest.samples import athena


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def with_vocabulary(home: Path, tmp_path: Path) -> Path:
    vocabulary.load(home, athena(tmp_path / "athena"))
    return home
