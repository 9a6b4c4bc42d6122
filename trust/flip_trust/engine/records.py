"""What goes into the engine and what comes out of it, before any protection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flip_trust.errors import TrustError

if TYPE_CHECKING:
    from flip_sdk.contract.tasks import RefusalCode


IMAGES_FILE = "images.f16"
"""The images of a snapshot, in a job's folder and in a worker's slot."""


class EngineError(TrustError):
    """The engine could not do what was asked.

    Attributes:
        code: the reason a Trust may give: MODEL_REFUSED, MODEL_TOO_LARGE, SANDBOX_MISSING or ENGINE_FAILED.
        detail: for the Trust's own log; it never leaves the Trust.
    """

    def __init__(self, code: RefusalCode, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


@dataclass(frozen=True)
class RawUpdate:
    """An exact result that must still pass ``disclosure.protect`` before it may leave.

    Attributes:
        tensors: by name, float64 and finite (``histogram``: int64).
        sensitivity: how far one person more or less can move all tensors together: L2, for ``scores`` L1. It comes
            from what was asked, never from the worker.
        noised: True when the noise is inside already (``dp_sgd``); False when it has still to be added.
        persons: of the cohort, exactly, where it is known: for the Trust's own steward, and for nobody else.
    """

    tensors: dict[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]] = field(repr=False)
    sensitivity: float
    noised: bool
    persons: int | None = field(default=None, repr=False)
