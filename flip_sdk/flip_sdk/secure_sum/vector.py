"""Several named tensors as one vector, in the order of their names, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from flip_sdk.errors import SecureSumError

Array = npt.NDArray[np.float64]
Shapes = Mapping[str, tuple[int, ...]]


def size_of(shapes: Shapes) -> int:
    """How many numbers tensors of these shapes hold."""
    return sum(math.prod(shape) for shape in shapes.values())


def flatten(tensors: Mapping[str, Array], shapes: Shapes) -> Array:
    """The tensors' numbers one after the other.

    Raises:
        SecureSumError: other tensors or other shapes than these.
    """
    if {name: value.shape for name, value in tensors.items()} != dict(shapes):
        raise SecureSumError("The tensors are not those that the sum is over.")
    parts = [np.asarray(tensors[name], dtype=np.float64).ravel() for name in sorted(shapes)]
    return np.concatenate(parts) if parts else np.zeros(0)


def unflatten(vector: Array, shapes: Shapes) -> dict[str, Array]:
    """The tensors out of their vector.

    Raises:
        SecureSumError: the vector has another length.
    """
    if vector.shape != (size_of(shapes),):
        raise SecureSumError("The vector is not as long as the tensors that the sum is over.")
    tensors: dict[str, Array] = {}
    start = 0
    for name in sorted(shapes):
        stop = start + math.prod(shapes[name])
        tensors[name] = vector[start:stop].reshape(shapes[name])
        start = stop
    return tensors
