"""What may be spent."""

from __future__ import annotations

from dataclasses import dataclass

ALONE_FACTOR = 4
"""How much more may be lost if every other Trust worked with the hub, where nobody says otherwise."""


@dataclass(frozen=True)
class Cap:
    """What may be spent in all, of one ledger.

    Attributes:
        epsilon: under the assumptions that jobs state.
        delta: at which both are reckoned.
        epsilon_alone: if every other Trust worked with the hub.
    """

    epsilon: float
    delta: float
    epsilon_alone: float
