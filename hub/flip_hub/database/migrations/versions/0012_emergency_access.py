"""Emergency access

Revision: 0012, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flip_hub.database.columns import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards."""
    op.create_table(
        "emergency",
        sa.Column("emergency_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("opened_by", sa.String(length=200), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=200), server_default=sa.text("''"), nullable=False),
        sa.Column("finding", sa.String(length=40), server_default=sa.text("''"), nullable=False),
        sa.Column("words", sa.String(), server_default=sa.text("''"), nullable=False),
        sa.Column("reviewed_by", sa.String(length=200), server_default=sa.text("''"), nullable=False),
        sa.Column("reviewed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["opened_by"], ["person.name"], name=op.f("fk_emergency_opened_by")),
        sa.PrimaryKeyConstraint("emergency_id", name=op.f("pk_emergency")),
    )
    op.create_index(op.f("ix_emergency_opened_by"), "emergency", ["opened_by"])
    op.create_index(op.f("ix_emergency_finding"), "emergency", ["finding"])


def downgrade() -> None:
    """Back. What the audit log says of them stays."""
    op.drop_index(op.f("ix_emergency_finding"), table_name="emergency")
    op.drop_index(op.f("ix_emergency_opened_by"), table_name="emergency")
    op.drop_table("emergency")
