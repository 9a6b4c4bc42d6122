"""Members and words of projects in tables of their own, so that a page of a long list is found by index

Revision: 0007, after 0006.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards. What the applications say already is read out of them."""
    members = op.create_table(
        "project_member",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_project_member_project_id")),
        sa.PrimaryKeyConstraint("project_id", "person", name=op.f("pk_project_member")),
    )
    op.create_index(op.f("ix_project_member_person_project_id"), "project_member", ["person", "project_id"])
    words = op.create_table(
        "project_words",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_project_words_project_id")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_project_words")),
    )
    listed = ["created_at", "project_id", "version", "state", "expires_at"]
    op.create_index(op.f("ix_project_created_at_project_id_version_state_expires_at"), "project", listed)
    op.create_index(op.f("ix_review_reviewer"), "review", ["reviewer"])
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT project_id, owner, application FROM project")).all()
    for project_id, owner, text in rows:
        application = json.loads(text)
        names = dict.fromkeys([owner, *application.get("team", [])])
        connection.execute(sa.insert(members), [{"project_id": project_id, "person": name} for name in names])
        found = (application["title"], project_id, owner, application["organisation"])
        connection.execute(sa.insert(words), [{"project_id": project_id, "words": "\n".join(found).casefold()}])


def downgrade() -> None:
    """Back. All of it is in the applications."""
    op.drop_index(op.f("ix_review_reviewer"), table_name="review")
    op.drop_index(op.f("ix_project_created_at_project_id_version_state_expires_at"), table_name="project")
    op.drop_table("project_words")
    op.drop_index(op.f("ix_project_member_person_project_id"), table_name="project_member")
    op.drop_table("project_member")
