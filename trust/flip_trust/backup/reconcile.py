"""After a restore: what may have been spent since the backup is debited, before anything is spent again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.composition import counted, epsilon_of_sum, sum_of
from flip_sdk.accounting.events import Pure

from flip_trust import consent
from flip_trust.audit import Entry
from flip_trust.config import TrustConfig
from flip_trust.database import Database, Transaction
from flip_trust.errors import ConsentError
from flip_trust.ledger import store
from flip_trust.ledger.restored import is_unreconciled
from flip_trust.ledger.sums import sums_of

_GROWTH = 1.05
WHOLE = ""
"""Stands for the whole data set among projects."""


def reconcile(
    database: Database, config: TrustConfig, steward: str, spent: Mapping[str, float] | None
) -> dict[str, float]:
    """Debit what the ledger may have forgotten, and let the Trust answer again.

    Args:
        database: the restored Trust's.
        config: its settings.
        steward: who answers for the figures.
        spent: the epsilon that each project is known to have spent, and under :data:`WHOLE` the whole data set, as
            the hub's mirror or the steward's own records say; None: everything that is left, of each and of the whole.

    Returns:
        The epsilon that was debited, by project.

    Raises:
        ConsentError: nothing was restored, or a project or the whole data set has no figure.
        LedgerUnavailableError: it cannot be written.
    """
    with database.transaction() as transaction:
        if not is_unreconciled(transaction):
            raise ConsentError("There is nothing to reconcile.", "This is only for a Trust that was restored.")
        caps = {agreed.project_id: agreed.terms.cap for agreed in consent.every(transaction)}
        known = {name: cap.epsilon for name, cap in caps.items()} | {WHOLE: config.total.epsilon}
        if spent is not None and (missing := sorted(set(known) - set(spent))):
            names = ", ".join(name or "the whole data set" for name in missing)
            raise ConsentError(f"What was spent is not said of: {names}.", "Give a figure for each, or --write-off.")
        figures = known if spent is None else dict(spent)
        deltas = {name: cap.delta for name, cap in caps.items()}
        at = datetime.now(UTC).isoformat()
        # projects first: their debits count for the whole data set too
        order = sorted(figures, key=lambda name: (name == WHOLE, name))
        done = {
            name: _debit(transaction, name, figures[name], deltas.get(name, config.total_delta), at) for name in order
        }
        details = {"write_off": spent is None, "known": {n or "whole data set": e for n, e in figures.items()}}
        transaction.write(
            Entry(f"steward/{steward}", "ledger.reconciled", f"trust/{config.name}", details),
            ("UPDATE restored SET reconciled_at = ? WHERE reconciled_at IS NULL", (at,)),
        )
    return {name: epsilon for name, epsilon in done.items() if epsilon}


def _debit(transaction: Transaction, name: str, known: float, delta: float, at: str) -> float:
    """Bring a ledger up to what is known to have been spent."""
    project = name or None
    sums = sums_of(transaction, project)
    if (have := epsilon_of_sum(sums.stated, delta)) >= known:
        return 0.0
    epsilon = known - have
    # what is composed costs less than its sum: until it costs what is known
    while epsilon_of_sum(sums.stated + sum_of(counted([Pure(epsilon=epsilon)])), delta) < known:
        epsilon *= _GROWTH
    debits = [Debit("reconciled", Pure(epsilon=epsilon))]
    store.write(transaction, project, f"restored-{name or 'whole'}-{at}", debits, "reconcile")
    return epsilon
