"""Noise shares: who is in which sum, and the trust models of an opt-in

Revision: 0002, after 0001.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UPDATE = ("job_id", "step", "round", "trust")


def upgrade() -> None:
    """Forwards. What is there already was released with local noise."""
    op.create_table(
        "shared_sum",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("roster", sa.String(length=71), nullable=False),
        sa.Column("trusts", sa.JSON(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.job_id"], name=op.f("fk_shared_sum_job_id")),
        sa.PrimaryKeyConstraint("job_id", "step", "round", "attempt", name=op.f("pk_shared_sum")),
    )
    _add("task", sa.Column("sum_attempt", sa.Integer(), nullable=False, server_default="0"))
    _add("consent", sa.Column("trust_models", sa.JSON(), nullable=False, server_default='["local"]'))
    _add("received_update", sa.Column("sum_attempt", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("received_update", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("pk_received_update"), type_="primary")
        batch_op.create_primary_key(batch_op.f("pk_received_update"), [*_UPDATE, "sum_attempt"])


def downgrade() -> None:
    """Back. Answers to sums that were repeated are forgotten."""
    op.execute("DELETE FROM received_update WHERE sum_attempt > 1")
    with op.batch_alter_table("received_update", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("pk_received_update"), type_="primary")
        batch_op.create_primary_key(batch_op.f("pk_received_update"), list(_UPDATE))
        batch_op.drop_column("sum_attempt")
    for table, column in (("consent", "trust_models"), ("task", "sum_attempt")):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
    op.drop_table("shared_sum")


def _add(table: str, column: sa.Column[Any]) -> None:
    """Add a column that must have a value: rows that are there get the default, which is then taken away again."""
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.add_column(column)
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.alter_column(column.name, server_default=None)
