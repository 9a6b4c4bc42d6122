"""Workspaces

Revision: 0014, after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flip_hub.database.columns import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards."""
    op.create_table(
        "project_resources",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("profiles", sa.JSON(), nullable=False),
        sa.Column("gpu_hours", sa.Double(), nullable=True),
        sa.Column("set_by", sa.String(length=200), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_project_resources_project_id")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_project_resources")),
    )
    op.create_table(
        "workspace_run",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("profile", sa.String(length=40), nullable=False),
        sa.Column("cpu", sa.Double(), nullable=False),
        sa.Column("gpu_hours", sa.Double(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("over_since", UtcDateTime(), nullable=True),
        sa.Column("end_reason", sa.String(length=200), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_workspace_run_project_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_workspace_run")),
    )
    op.create_index(op.f("ix_workspace_run_project_id_person"), "workspace_run", ["project_id", "person"])
    op.create_index(op.f("ix_workspace_run_ended_at"), "workspace_run", ["ended_at"])
    op.create_index(op.f("ix_workspace_run_started_at"), "workspace_run", ["started_at"])


def downgrade() -> None:
    """Back. How long workspaces ran is forgotten."""
    op.drop_index(op.f("ix_workspace_run_started_at"), table_name="workspace_run")
    op.drop_index(op.f("ix_workspace_run_ended_at"), table_name="workspace_run")
    op.drop_index(op.f("ix_workspace_run_project_id_person"), table_name="workspace_run")
    op.drop_table("workspace_run")
    op.drop_table("project_resources")
