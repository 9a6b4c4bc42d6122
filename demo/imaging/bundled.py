"""pydicom's bundled files: real images of many makers, kinds and encodings, damaged ones and odd ones among them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom.data

FOLDER = "pydicom"


def bundled_files() -> list[Path]:
    """Every file that pydicom brings along for its tests: a few of them are no DICOM files, as in any folder."""
    folders = (_base() / name for name in ("test_files", "charset_files"))
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def copy_bundled(into: Path, part: int = 0, parts: int = 1) -> int:
    """Copy a share of the bundled files to a sender's folder, each part different ones; how many.

    Args:
        into: the sender's folder.
        part: which share, from 0 on.
        parts: how many shares there are.
    """
    chosen = bundled_files()[part::parts]
    for path in chosen:
        target = into / FOLDER / path.relative_to(_base())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return len(chosen)


def _base() -> Path:
    return Path(pydicom.data.__file__).parent
