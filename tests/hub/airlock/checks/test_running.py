from __future__ import annotations

from pathlib import Path

import pytest
from flip_hub import sandbox
from flip_hub.airlock.checks import Past, examine, examine_apart

from tests.hub.airlock.checks.conftest import statement

FILES = {"a.csv": "sex,persons\nwomen,120\nmen,5\n", "b.csv": b"\x80\x04K\x01.", "c.txt": "A result."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, content in FILES.items():
        (tmp_path / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def test_a_worker_finds_what_is_found_here(folder: Path, past: Past) -> None:
    statements = [statement(path, content) for path, content in FILES.items()]
    apart = examine_apart(folder, statements, past, sandboxed=sandbox.usable())

    timeless = [examined.model_copy(update={"seconds": 0.0}) for examined in apart]
    assert timeless == [e.model_copy(update={"seconds": 0.0}) for e in examine(folder, statements, past)]
    assert [examined.verdict for examined in apart] == ["flag", "block", "pass"]
