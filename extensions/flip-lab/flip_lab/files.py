"""Files that a page names: only those that the file browser shows, by their real place."""

from __future__ import annotations

from pathlib import Path

from flip_sdk.errors import NotFoundError

MEND = "Choose a saved file in the file browser."


def inside(root: Path, path: str) -> Path:
    """The file that the file browser calls so.

    Args:
        root: the folder that it shows.
        path: with forward slashes, below that folder.

    Raises:
        NotFoundError: no such file, or it lies elsewhere, or it is hidden.
    """
    unknown = NotFoundError(f"There is no file “{path}” in this workspace.", MEND)
    parts = path.strip("/").split("/")
    if any(part in ("", "..") or part.startswith(".") or "\0" in part or "\\" in part for part in parts):
        raise unknown
    whole = root.resolve()
    try:
        found = whole.joinpath(*parts).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise unknown from error
    if not found.is_relative_to(whole) or not found.is_file():
        raise unknown
    return found
