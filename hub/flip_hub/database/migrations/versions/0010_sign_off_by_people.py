"""Jobs that a person decides on, and which jobs those are

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flip_hub.database.columns import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards."""
    op.add_column(
        "review", sa.Column("sign_off", sa.String(length=40), server_default=sa.text("'outside'"), nullable=False)
    )
    op.create_table(
        "sign_off",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("decide_by", UtcDateTime(), nullable=False),
        sa.Column("decision", sa.String(length=40), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.job_id"], name=op.f("fk_sign_off_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_sign_off")),
    )


def downgrade() -> None:
    """Back. Jobs that wait for a person stay as they are, and nobody decides on them."""
    op.drop_table("sign_off")
    op.drop_column("review", "sign_off")
