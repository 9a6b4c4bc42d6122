"""What Trusts tell of their ledgers: events and both caps, so that a job's price is reckoned as they will

Revision: 0003, after 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


_NEW: tuple[tuple[str, str, sa.types.TypeEngine[Any]], ...] = (
    ("consent", "epsilon_alone", sa.Double()),
    ("budget", "ledger", sa.Text()),
    ("trust", "total", sa.Text()),
)


def upgrade() -> None:
    """Forwards. A Trust's next sign of life fills the columns."""
    for table, name, kind in _NEW:
        op.add_column(table, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """Back. Trusts tell it again."""
    for table, name, _ in _NEW:
        op.drop_column(table, name)
