"""Links show a dashboard to named persons until a day.

Revision: 0016, after 0015.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flip_hub.database.columns import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_NAME, _LINE, _TOKEN = sa.String(length=40), sa.String(length=200), sa.String(length=64)


def upgrade() -> None:
    """Forwards."""
    version = ["project_id", "name", "version"]
    op.create_table(
        "dashboard_link",
        sa.Column("link_id", _TOKEN, nullable=False),
        sa.Column("project_id", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=71), nullable=False),
        sa.Column("state", _NAME, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_by", _person(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            version,
            [f"dashboard_version.{one}" for one in version],
            name=op.f("fk_dashboard_link_project_id_name_version"),
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["person.name"], name=op.f("fk_dashboard_link_asked_by")),
        sa.UniqueConstraint("token", name=op.f("uq_dashboard_link_token")),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_dashboard_link")),
    )
    op.create_index(op.f("ix_dashboard_link_state"), "dashboard_link", ["state"])
    op.create_table(
        "link_reader",
        sa.Column("link_id", _TOKEN, nullable=False),
        sa.Column("reader", _person(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("last_opened_at", UtcDateTime(), nullable=True),
        *_of_a_link("link_reader", "reader"),
    )
    op.create_table(
        "link_decision",
        sa.Column("link_id", _TOKEN, nullable=False),
        sa.Column("checker", _person(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        *_of_a_link("link_decision", "checker"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("link_decision")
    op.drop_table("link_reader")
    op.drop_index(op.f("ix_dashboard_link_state"), "dashboard_link")
    op.drop_table("dashboard_link")


def _person() -> sa.String:
    return sa.String(length=200)


def _of_a_link(table: str, person: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["link_id"], ["dashboard_link.link_id"], name=op.f(f"fk_{table}_link_id")),
        sa.ForeignKeyConstraint([person], ["person.name"], name=op.f(f"fk_{table}_{person}")),
        sa.PrimaryKeyConstraint("link_id", person, name=op.f(f"pk_{table}")),
    )
