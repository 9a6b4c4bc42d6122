"""Every check, in the order in which its findings are shown."""

from __future__ import annotations

from flip_hub.airlock.checks import small_counts
from flip_hub.airlock.checks.rules import Check

CHECKS: tuple[Check, ...] = (*small_counts.CHECKS,)
