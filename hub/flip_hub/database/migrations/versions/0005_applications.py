"""Applications whole: drafts as typed, submissions, comments, conditions, signatures, warnings, closing

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# the application is the newest that is known; where changes were asked for, it may have been edited since
_SUBMITTED = """
INSERT INTO submission (project_id, version, application, submitted_by, submitted_at)
SELECT project_id, version, application, owner, created_at FROM project WHERE version > 0
"""


def upgrade() -> None:
    """Forwards. What was submitted before is kept as a submission too."""
    op.create_table(
        "closing",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("closed_by", sa.String(length=200), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("hub", sa.JSON(), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["person.name"], name=op.f("fk_closing_closed_by")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_closing_project_id")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_closing")),
    )
    op.create_table(
        "comment",
        sa.Column("comment_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=True),
        sa.Column("resolved_by", sa.String(length=200), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["answers"], ["comment.comment_id"], name=op.f("fk_comment_answers")),
        sa.ForeignKeyConstraint(["author"], ["person.name"], name=op.f("fk_comment_author")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_comment_project_id")),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_comment")),
    )
    op.create_index(op.f("ix_comment_project_id"), "comment", ["project_id"], unique=False)
    op.create_table(
        "condition",
        sa.Column("condition_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("before_start", sa.Boolean(), nullable=False),
        sa.Column("set_by", sa.String(length=200), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.String(length=200), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("how", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_condition_project_id")),
        sa.ForeignKeyConstraint(["set_by"], ["person.name"], name=op.f("fk_condition_set_by")),
        sa.PrimaryKeyConstraint("condition_id", name=op.f("pk_condition")),
    )
    op.create_index(op.f("ix_condition_project_id"), "condition", ["project_id"], unique=False)
    op.create_table(
        "draft_field",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rival", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["by"], ["person.name"], name=op.f("fk_draft_field_by")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_draft_field_project_id")),
        sa.PrimaryKeyConstraint("project_id", "field", name=op.f("pk_draft_field")),
    )
    op.create_table(
        "expiry_warning",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("days", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("people", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_expiry_warning_project_id")),
        sa.PrimaryKeyConstraint("project_id", "expires_at", "days", name=op.f("pk_expiry_warning")),
    )
    op.create_table(
        "signature",
        sa.Column("signature_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("agreement", sa.String(length=71), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("clauses", sa.String(length=40), nullable=False),
        sa.Column("typed_name", sa.String(length=200), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_signature_person")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_signature_project_id")),
        sa.PrimaryKeyConstraint("signature_id", name=op.f("pk_signature")),
        sa.UniqueConstraint("project_id", "person", "agreement", name=op.f("uq_signature_project_id_person_agreement")),
    )
    op.create_table(
        "submission",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("submitted_by", sa.String(length=200), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_submission_project_id")),
        sa.ForeignKeyConstraint(["submitted_by"], ["person.name"], name=op.f("fk_submission_submitted_by")),
        sa.PrimaryKeyConstraint("project_id", "version", name=op.f("pk_submission")),
    )
    op.create_table(
        "trust_purge",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("trust", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_trust_purge_project_id")),
        sa.ForeignKeyConstraint(["trust"], ["trust.name"], name=op.f("fk_trust_purge_trust")),
        sa.PrimaryKeyConstraint("project_id", "trust", name=op.f("pk_trust_purge")),
    )
    op.add_column("project", sa.Column("state_reason", sa.String(), server_default=sa.text("''"), nullable=False))
    op.add_column("project", sa.Column("workspaces_closed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("review", sa.Column("declared", sa.String(), server_default=sa.text("''"), nullable=False))
    op.execute(_SUBMITTED)


def downgrade() -> None:
    """Back. Drafts, comments, conditions and signatures are forgotten."""
    op.drop_column("review", "declared")
    op.drop_column("project", "workspaces_closed_at")
    op.drop_column("project", "state_reason")
    op.drop_table("trust_purge")
    op.drop_table("submission")
    op.drop_table("signature")
    op.drop_table("expiry_warning")
    op.drop_table("draft_field")
    op.drop_index(op.f("ix_condition_project_id"), table_name="condition")
    op.drop_table("condition")
    op.drop_index(op.f("ix_comment_project_id"), table_name="comment")
    op.drop_table("comment")
    op.drop_table("closing")
