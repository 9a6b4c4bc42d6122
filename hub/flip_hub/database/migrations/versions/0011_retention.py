"""Entries of the audit log can be reduced to digests when their time is over; the database itself refuses all else

Revision: 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flip_hub.database.append_only import POSTGRESQL, SQLITE, opening

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards. Entries that are there keep the hash that they have, and are never reduced."""
    op.create_table(
        "audit_reduction",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_reduction")),
    )
    op.add_column("audit", sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")))
    op.add_column("audit", sa.Column("salt", sa.String(length=64), nullable=False, server_default=sa.text("''")))
    op.add_column("audit", sa.Column("reduced", sa.String(), nullable=False, server_default=sa.text("''")))
    bind = op.get_bind()
    for statement in POSTGRESQL if bind.dialect.name == "postgresql" else SQLITE:
        bind.exec_driver_sql(statement)


def downgrade() -> None:
    """Back. Entries that were written since can no longer be verified."""
    bind = op.get_bind()
    for statement in opening(bind.dialect.name):
        bind.exec_driver_sql(statement)
    with op.batch_alter_table("audit") as table:
        for name in ("version", "salt", "reduced"):
            table.drop_column(name)
    op.drop_table("audit_reduction")
