"""Linear models out of noisy sufficient statistics, in one step: AdaSSP (Wang, UAI 2018, arXiv 1803.02596).

The paper spends a third of its budget on the smallest eigenvalue of XᵀX, to choose the ridge by. Here it is read off
the noisy matrix, which costs nothing: noise spreads the eigenvalues of a symmetric matrix over ± 2·deviation·sqrt(d)
(Wigner), and the ridge is what lifts the smallest one above that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.graph import Loss
from flip_sdk.mechanisms.aggregate.state import NOW, added, move, norm, read, written
from flip_sdk.mechanisms.moments import SENSITIVITY_OF_STATISTICS

Array = npt.NDArray[np.float64]
_LOGITS: dict[Loss, float] = {"binary_cross_entropy": 2.0, "cross_entropy": 4.0, "mse": 1.0}
"""What a fitted target is worth as a logit: the slope at even odds."""


def solve(
    state: bytes, released: Mapping[str, Mapping[str, Array]], noise: Mapping[str, float], loss: Loss
) -> tuple[bytes, dict[str, float]]:
    """Ridge regression over the Trusts that answered, as the weights of the job's linear layer.

    Args:
        state: the state before: a weight ``[outputs, d]`` and, where the layer has one, a bias ``[outputs]``.
        released: by Trust, ``gram`` (d + 1, d + 1) and ``moment`` (d + 1, outputs), noisy (``mechanisms.moments``).
        noise: by Trust, the noise multiplier of its release.
        loss: the model's.

    Returns:
        The state after, and ``ridge``: what was added to the diagonal.
    """
    held = read(state)
    total = added(released)
    deviation = SENSITIVITY_OF_STATISTICS * float(np.sqrt(sum(noise[trust] ** 2 for trust in released)))
    gram = (total["gram"] + total["gram"].T) / 2
    width = len(gram)
    lowest = float(np.linalg.eigvalsh(gram)[0])
    ridge = max(0.0, 2 * deviation * np.sqrt(width) - max(0.0, lowest)) + np.finfo(np.float64).eps * width
    fitted = np.linalg.solve(gram + ridge * np.eye(width), total["moment"]) * _LOGITS[loss] / np.sqrt(width)
    steps = {}
    for key, value in held.items():
        if key.startswith(NOW):
            solved = fitted[:-1].T if value.ndim == 2 else fitted[-1]
            steps[key.removeprefix(NOW)] = solved - value.astype(np.float64)
    move(held, steps, counts=False)
    return written(held), {"ridge": ridge, "weight_norm": norm({"": fitted})}
