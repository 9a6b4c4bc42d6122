"""Who people are at their provider, their sessions, and programs with tokens

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flip_hub.database.columns import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards."""
    op.create_table(
        "identity",
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("bound_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_identity_person")),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identity_issuer_subject")),
    )
    op.create_table(
        "sign_in",
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("end_reason", sa.String(length=40), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_sign_in")),
    )
    op.create_index(op.f("ix_sign_in_person"), "sign_in", ["person"])
    op.create_table(
        "service_identity",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("earlier_token", sa.String(length=64), server_default=sa.text("''"), nullable=False),
        sa.Column("earlier_until", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_identity")),
        sa.UniqueConstraint("token", name=op.f("uq_service_identity_token")),
    )


def downgrade() -> None:
    """Back. Everybody signs in anew, and the programs' tokens are gone."""
    op.drop_table("service_identity")
    op.drop_index(op.f("ix_sign_in_person"), table_name="sign_in")
    op.drop_table("sign_in")
    op.drop_table("identity")
