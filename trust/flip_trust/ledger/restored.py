"""Whether this Trust was restored from a backup whose ledger nobody has reconciled yet: then nothing may be spent."""

from __future__ import annotations

from flip_trust.audit import Reader


def is_unreconciled(reader: Reader) -> bool:
    """Whether debits may have been forgotten."""
    return bool(reader.read("SELECT 1 FROM restored WHERE reconciled_at IS NULL LIMIT 1"))
