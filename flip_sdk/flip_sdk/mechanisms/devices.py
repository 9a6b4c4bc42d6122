"""Where a model is computed: on the processor, or on a GPU where the process sees one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Device:
    """A device, and the precision of the products on it.

    Attributes:
        name: ``cpu``, ``cuda`` or ``cuda:1`` …
        half: compute the model in this precision (mixed precision, by ``torch.autocast``); norms, sums and noise stay
            in float32 and float64. None for float32 throughout.
    """

    name: str = "cpu"
    half: torch.dtype | None = None

    @property
    def torch(self) -> torch.device:
        """As torch names it."""
        return torch.device(self.name)

    def precision(self) -> AbstractContextManager[object]:
        """The context to run the model in."""
        kind = self.torch.type
        return nullcontext() if self.half is None else torch.autocast(kind, dtype=self.half)


CPU = Device()


def visible(*, mixed: bool = False) -> Device:
    """The first GPU that this process sees, else the processor; ``mixed`` for bfloat16 products on a GPU."""
    if not torch.cuda.is_available():
        return CPU
    return Device("cuda", torch.bfloat16 if mixed else None)
