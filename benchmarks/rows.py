"""One claim with its number, its peer's number in the same run, and whether the bar holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured claim.

    Attributes:
        name: ``benchmark/claim``.
        ours: our number.
        peer: the peer's, in the same unit and run; None where there is none.
        unit: what both are.
        ratio: ours over peer, or as the name says.
        bar: the bar in words.
        holds: whether it is met.
    """

    name: str
    ours: float
    peer: float | None
    unit: str
    ratio: float | None
    bar: str
    holds: bool
