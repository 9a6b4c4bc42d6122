"""Whether images fit the disk, told before they are written: a full disk would stop everything else of the Trust's."""

from __future__ import annotations

import shutil
from pathlib import Path

from flip_sdk.contract.tasks import RefusalCode

from flip_trust.errors import RefusedError

KEPT_FREE = 2**30
"""Bytes that are left to others."""


def require_room(folder: Path, images: int, values: int) -> None:
    """Whether so many images of so many numbers, two bytes each, may be written.

    Raises:
        RefusedError: IMAGES_TOO_LARGE.
    """
    if 2 * images * values > shutil.disk_usage(folder).free - KEPT_FREE:
        raise RefusedError(RefusalCode.IMAGES_TOO_LARGE)
