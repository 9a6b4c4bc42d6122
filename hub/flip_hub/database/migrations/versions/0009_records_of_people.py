"""What people showed: accreditation, training, contracts

Revision: 0009, after 0008. Whoever is registered already has 60 days to show what their roles need.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op
from flip_hub.database.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

GRACE = timedelta(days=60)


def upgrade() -> None:
    """Forwards."""
    op.create_table(
        "person_record",
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("evidence", sa.String(length=71), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("submitted_by", sa.String(length=200), nullable=False),
        sa.Column("submitted_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.String(length=200), server_default=sa.text("''"), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("words", sa.String(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_person_record_person")),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_person_record")),
    )
    op.create_index(op.f("ix_person_record_person"), "person_record", ["person"])
    op.create_index(op.f("ix_person_record_state"), "person_record", ["state"])
    op.add_column("person", sa.Column("records_due_at", UtcDateTime(), nullable=True))
    person = sa.table("person", sa.column("records_due_at", UtcDateTime()))
    op.execute(person.update().values(records_due_at=datetime.now(UTC) + GRACE))


def downgrade() -> None:
    """Back. What people showed is gone."""
    op.drop_column("person", "records_due_at")
    op.drop_index(op.f("ix_person_record_state"), table_name="person_record")
    op.drop_index(op.f("ix_person_record_person"), table_name="person_record")
    op.drop_table("person_record")
