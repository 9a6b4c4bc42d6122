"""Every check, in the order in which its findings are shown."""

from __future__ import annotations

from flip_hub.airlock.checks import ledger, persons, results, secrets, shape, small_counts, texts, totals
from flip_hub.airlock.checks.rules import Check

CHECKS: tuple[Check, ...] = (
    *results.CHECKS,
    *secrets.CHECKS,
    *texts.CHECKS,
    *persons.CHECKS,
    *small_counts.CHECKS,
    *totals.CHECKS,
    *shape.CHECKS,
    *ledger.CHECKS,
)
