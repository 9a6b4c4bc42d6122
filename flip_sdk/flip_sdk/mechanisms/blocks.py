"""Nobody's rounding depends on how many others there are, or on where among them one stands.

Kernels take rows in blocks, and the rows that are left over, or that lie at another address, in another order of
operations: in their last bits, these come out differently. A hostile model blows last bits up to any size (the sine of
10⁸·x), and then one person more or less would change the gradients of others, which no clipping of that person's own
gradient bounds: by 23 times the clip in a sum over 300, before this module was there. Two measures:

1. Rows of zeros up to a whole block, so that no rows are left over.
2. :data:`REPRODUCIBLE`, the environment in which MKL's results do not depend on memory addresses (Intel oneMKL
   Developer Guide, "Conditional Numerical Reproducibility"). It costs no measurable time.

``tests/audit`` checks, on the machine that it runs on, that a person's gradient is the same bit by bit whoever else is
there; whoever runs a Trust on another kind of machine should run it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

REPRODUCIBLE = {"MKL_CBWR": "AUTO,STRICT"}
"""To be set before a process multiplies its first matrices."""
BLOCK = 32
"""Rows of two of the widest vector registers in use (16 float32 each): torch's loops go by two of them."""


def filled(rows: npt.NDArray[Any], size: int = BLOCK) -> npt.NDArray[Any]:
    """The rows, and rows of zeros up to a multiple of ``size``."""
    missing = -len(rows) % size
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), dtype=rows.dtype)]) if missing else rows


def chunks(count: int, most: int) -> Iterator[slice]:
    """Slices of ``count`` rows, each of a whole number of blocks but the last, and of no more than ``most`` rows."""
    size = chunk_size(most)
    return (slice(start, start + size) for start in range(0, count, size))


def chunk_size(most: int) -> int:
    """The largest whole number of blocks within ``most`` rows; where not even one fits, ``most`` itself."""
    return most // BLOCK * BLOCK or max(1, most)
