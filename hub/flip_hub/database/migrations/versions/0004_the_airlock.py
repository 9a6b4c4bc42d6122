"""The airlock: release requests, decisions, releases, checks beforehand, and files that come in

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards. What workspaces and people could read already, they still can."""
    op.create_table(
        "airlock_check",
        sa.Column("check_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("results", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["asked_by"], ["person.name"], name=op.f("fk_airlock_check_asked_by")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_airlock_check_project_id")),
        sa.PrimaryKeyConstraint("check_id", name=op.f("pk_airlock_check")),
    )
    with op.batch_alter_table("airlock_check", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_airlock_check_done_at"), ["done_at"], unique=False)

    op.create_table(
        "ingress",
        sa.Column("ingress_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("content", sa.String(length=71), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("holds_people", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("scanned_by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["decided_by"], ["person.name"], name=op.f("fk_ingress_decided_by")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_ingress_project_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["person.name"], name=op.f("fk_ingress_requested_by")),
        sa.PrimaryKeyConstraint("ingress_id", name=op.f("pk_ingress")),
        sa.UniqueConstraint(
            "project_id",
            "requested_by",
            "idempotency_key",
            name=op.f("uq_ingress_project_id_requested_by_idempotency_key"),
        ),
    )
    with op.batch_alter_table("ingress", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ingress_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ingress_state"), ["state"], unique=False)

    op.create_table(
        "release_request",
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("wanted", sa.String(length=71), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_release_request_project_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["person.name"], name=op.f("fk_release_request_requested_by")),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_release_request")),
        sa.UniqueConstraint(
            "project_id",
            "requested_by",
            "idempotency_key",
            name=op.f("uq_release_request_project_id_requested_by_idempotency_key"),
        ),
    )
    with op.batch_alter_table("release_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_release_request_checked_at"), ["checked_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_release_request_open"), ["open"], unique=False)
        batch_op.create_index(batch_op.f("ix_release_request_project_id"), ["project_id"], unique=False)

    op.create_table(
        "output",
        sa.Column("output_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("content", sa.String(length=71), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("examined", sa.Text(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_output_project_id")),
        sa.ForeignKeyConstraint(["request_id"], ["release_request.request_id"], name=op.f("fk_output_request_id")),
        sa.PrimaryKeyConstraint("output_id", name=op.f("pk_output")),
        sa.UniqueConstraint("request_id", "path", name=op.f("uq_output_request_id_path")),
    )
    with op.batch_alter_table("output", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_output_content"), ["content"], unique=False)
        batch_op.create_index(batch_op.f("ix_output_project_id_path"), ["project_id", "path"], unique=False)
        batch_op.create_index(batch_op.f("ix_output_state"), ["state"], unique=False)

    op.create_table(
        "output_decision",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("output_id", sa.String(length=64), nullable=False),
        sa.Column("checker", sa.String(length=200), nullable=False),
        sa.Column("decision", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["checker"], ["person.name"], name=op.f("fk_output_decision_checker")),
        sa.ForeignKeyConstraint(["output_id"], ["output.output_id"], name=op.f("fk_output_decision_output_id")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_output_decision")),
        sa.UniqueConstraint("output_id", "checker", name=op.f("uq_output_decision_output_id_checker")),
    )
    op.create_table(
        "release",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("output_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("content", sa.String(length=71), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=True),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("crate", sa.String(length=71), nullable=False),
        sa.Column("criteria", sa.String(length=71), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(length=200), nullable=True),
        sa.Column("revoked_because", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["output_id"], ["output.output_id"], name=op.f("fk_release_output_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_release_project_id")),
        sa.ForeignKeyConstraint(["request_id"], ["release_request.request_id"], name=op.f("fk_release_request_id")),
        sa.ForeignKeyConstraint(["revoked_by"], ["person.name"], name=op.f("fk_release_revoked_by")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_release")),
        sa.UniqueConstraint("output_id", name=op.f("uq_release_output_id")),
        sa.UniqueConstraint("release_id", name=op.f("uq_release_release_id")),
    )
    with op.batch_alter_table("release", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_release_content"), ["content"], unique=False)
        batch_op.create_index(batch_op.f("ix_release_project_id"), ["project_id"], unique=False)

    with op.batch_alter_table("blob_use", schema=None) as batch_op:
        batch_op.add_column(sa.Column("inside", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("outside", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("blob_use", schema=None) as batch_op:
        batch_op.alter_column("inside", server_default=None)
        batch_op.alter_column("outside", server_default=None)


def downgrade() -> None:
    """Back."""
    with op.batch_alter_table("blob_use", schema=None) as batch_op:
        batch_op.drop_column("outside")
        batch_op.drop_column("inside")

    op.drop_table("release")
    op.drop_table("output_decision")
    op.drop_table("output")
    op.drop_table("release_request")
    op.drop_table("ingress")
    op.drop_table("airlock_check")
