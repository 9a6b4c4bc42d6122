"""A module on images, and perhaps a table, as one on flat rows: features first, then the image's numbers."""

from __future__ import annotations

import copy

from torch import Tensor, nn


def shown(model: nn.Module, features: int, shape: tuple[int, ...]) -> nn.Module:
    """The same module, with the same parameters under the same names, that takes rows.

    Args:
        model: its ``forward`` takes ``image`` of shape ``[n, *shape]``; with features ``(image, table)``.
        features: how many numbers of a row come before the image's.
        shape: of one image: channels, then its size.
    """

    def forward(rows: Tensor) -> Tensor:
        image = rows[:, features:].reshape(-1, *shape)
        # the module's own forward, looked up where it is written: the shell's is this function
        answer: Tensor = model.forward(image, rows[:, :features]) if features else model.forward(image)
        return answer

    shell = copy.copy(model)
    shell.forward = forward
    return shell
