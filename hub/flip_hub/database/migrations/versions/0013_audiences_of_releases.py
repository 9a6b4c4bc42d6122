"""For whom something is released: the project's team, everybody whom the hub knows, or everybody.

Revision: 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = ("release_request", "release")


def upgrade() -> None:
    """Forwards. What was public stays so, and everything else is for its project's team, as it was."""
    for name in _TABLES:
        op.add_column(name, sa.Column("audience", sa.String(length=40), server_default="project", nullable=False))
        table = sa.table(name, sa.column("audience", sa.String), sa.column("public", sa.Boolean))
        op.execute(table.update().where(table.c.public).values(audience="public"))
        op.drop_column(name, "public")
    op.add_column("output_decision", sa.Column("audience", sa.String(length=40), nullable=True))


def downgrade() -> None:
    """Back. What is for everybody signed in becomes the team's alone: nothing is shown to more people."""
    op.drop_column("output_decision", "audience")
    for name in _TABLES:
        op.add_column(name, sa.Column("public", sa.Boolean(), server_default=sa.false(), nullable=False))
        table = sa.table(name, sa.column("audience", sa.String), sa.column("public", sa.Boolean))
        op.execute(table.update().where(table.c.audience == "public").values(public=sa.true()))
        op.drop_column(name, "audience")
