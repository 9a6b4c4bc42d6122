"""Backup of what a Trust decided and spent, and the way back: an old ledger forgot debits, so it is reconciled."""

from flip_trust.backup.reconcile import reconcile
from flip_trust.backup.restore import restore
from flip_trust.backup.save import back_up

__all__ = ["back_up", "reconcile", "restore"]
