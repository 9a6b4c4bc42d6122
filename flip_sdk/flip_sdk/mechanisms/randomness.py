"""Random bits from the operating system, also where millions are needed: never seeded by anything but the system.

The system's generator gives about 300 MB a second, which would take longer than the model that the noise is for. So
many bits at once are the key stream of AES-256 in counter mode under a key and a start that the system has just drawn
for this one purpose (as in CTR_DRBG of NIST SP 800-90A). A stream is used for one array and kept nowhere, so two
arrays, a fork, a restart or another job share nothing.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_KEY_BYTES, _START_BYTES = 32, 16
_FEW = 512


class Stream:
    """Random words for one array."""

    def __init__(self) -> None:
        drawn = os.urandom(_KEY_BYTES + _START_BYTES)
        self._cipher = Cipher(algorithms.AES256(drawn[:_KEY_BYTES]), modes.CTR(drawn[_KEY_BYTES:])).encryptor()

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """So many random 64-bit words, other ones at every call."""
        drawn = np.zeros(count, dtype=np.uint64)
        if count:
            self._cipher.update_into(drawn.data.cast("B"), drawn.data.cast("B"))
        return drawn


def words(count: int) -> npt.NDArray[np.uint64]:
    """So many random 64-bit words."""
    if count > _FEW:
        return Stream().words(count)
    return np.frombuffer(os.urandom(8 * count), dtype=np.uint64)
