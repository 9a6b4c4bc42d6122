"""Paths that a page gives stay inside what the file browser shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from flip_lab.files import inside
from flip_sdk.errors import NotFoundError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shown = tmp_path / "shown"
    (shown / "results").mkdir(parents=True)
    (shown / "results" / "table.csv").write_text("a\n1\n")
    (shown / ".secret").write_text("x")
    (tmp_path / "outside.csv").write_text("x")
    (shown / "link.csv").symlink_to(tmp_path / "outside.csv")
    (shown / "folder").symlink_to(tmp_path)
    (shown / "near.csv").symlink_to(shown / "results" / "table.csv")
    return shown


@pytest.mark.parametrize("path", ["results/table.csv", "/results/table.csv", "near.csv"])
def test_what_the_file_browser_shows_is_found(root: Path, path: str) -> None:
    assert inside(root, path) == (root / "results" / "table.csv").resolve()


@pytest.mark.parametrize(
    "path",
    [
        *("", "..", "../outside.csv", "results/../../outside.csv", "results/../results/table.csv", "link.csv"),
        *("folder/outside.csv", ".secret", "results", "none.csv", "results//table.csv", "a\0b", "..\\outside.csv"),
    ],
)
def test_nothing_else_is(root: Path, path: str) -> None:
    with pytest.raises(NotFoundError):
        inside(root, path)
