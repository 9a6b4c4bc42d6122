"""Dashboards have versions, of which one is shown.

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flip_hub.database.columns import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_KEPT = "project_id, name, state, notebook, jobs, published_by, published_at"
_NAME, _LINE, _TOKEN = sa.String(length=40), sa.String(length=200), sa.String(length=64)


def upgrade() -> None:
    """Forwards. What was published is the first version; what was released is shown, for whom its release was."""
    op.create_table(
        "dashboard_before",
        *(sa.Column(name, sa.String()) for name in ("project_id", "name", "state", "notebook")),
        sa.Column("jobs", sa.JSON()),
        sa.Column("published_by", sa.String()),
        sa.Column("published_at", UtcDateTime()),
    )
    op.execute(f"INSERT INTO dashboard_before ({_KEPT}) SELECT {_KEPT} FROM dashboard")  # noqa: S608 - fixed words
    op.drop_table("dashboard")
    op.create_table(
        "dashboard",
        sa.Column("project_id", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("shown", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_dashboard_project_id")),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_dashboard")),
    )
    op.create_table("dashboard_version", *_version_columns())
    op.create_index(op.f("ix_dashboard_version_release_id"), "dashboard_version", ["release_id"])
    op.execute(
        "INSERT INTO dashboard (project_id, name, shown) "
        "SELECT project_id, name, CASE WHEN state = 'released' THEN 1 END FROM dashboard_before"
    )
    op.execute(
        f"INSERT INTO dashboard_version ({_KEPT}, version, title, kind, personal, frames, "  # noqa: S608 - fixed words
        "audience, release_id, released_at) "
        f"SELECT {_KEPT}, 1, '', 'other', false, '[]', "
        "CASE WHEN state = 'released' THEN coalesce((SELECT max(audience) FROM release WHERE "
        "release.project_id = b.project_id AND content = notebook AND revoked_at IS NULL), 'project') "
        "ELSE 'project' END, "
        "(SELECT max(release_id) FROM release WHERE release.project_id = b.project_id AND content = notebook "
        "AND revoked_at IS NULL), "
        "(SELECT max(released_at) FROM release WHERE release.project_id = b.project_id AND content = notebook "
        "AND revoked_at IS NULL) FROM dashboard_before AS b"
    )
    op.drop_table("dashboard_before")


def downgrade() -> None:
    """Back. Of each dashboard the newest version stays."""
    op.create_table(
        "dashboard_before",
        *(sa.Column(name, sa.String()) for name in ("project_id", "name", "state", "notebook")),
        sa.Column("jobs", sa.JSON()),
        sa.Column("published_by", sa.String()),
        sa.Column("published_at", UtcDateTime()),
    )
    op.execute(
        f"INSERT INTO dashboard_before ({_KEPT}) SELECT {_KEPT} FROM dashboard_version AS v "  # noqa: S608 - fixed words
        "WHERE version = (SELECT max(version) FROM dashboard_version AS w "
        "WHERE w.project_id = v.project_id AND w.name = v.name)"
    )
    op.drop_index(op.f("ix_dashboard_version_release_id"), "dashboard_version")
    op.drop_table("dashboard_version")
    op.drop_table("dashboard")
    op.create_table(
        "dashboard",
        sa.Column("project_id", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("state", _NAME, nullable=False),
        sa.Column("notebook", sa.String(length=71), nullable=False),
        sa.Column("jobs", sa.JSON(), nullable=False),
        sa.Column("published_by", _LINE, nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_dashboard_project_id")),
        sa.ForeignKeyConstraint(["published_by"], ["person.name"], name=op.f("fk_dashboard_published_by")),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_dashboard")),
    )
    op.execute(f"INSERT INTO dashboard ({_KEPT}) SELECT {_KEPT} FROM dashboard_before")  # noqa: S608 - fixed words
    op.drop_table("dashboard_before")


def _version_columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("project_id", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", _NAME, nullable=False),
        sa.Column("title", _LINE, nullable=False),
        sa.Column("kind", _NAME, nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("frames", sa.JSON(), nullable=False),
        sa.Column("notebook", sa.String(length=71), nullable=False),
        sa.Column("jobs", sa.JSON(), nullable=False),
        sa.Column("published_by", _LINE, nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("audience", _NAME, nullable=False),
        sa.Column("release_id", _TOKEN, nullable=True),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        *_of_a_dashboard("dashboard_version"),
        sa.ForeignKeyConstraint(["published_by"], ["person.name"], name=op.f("fk_dashboard_version_published_by")),
        sa.PrimaryKeyConstraint("project_id", "name", "version", name=op.f("pk_dashboard_version")),
    ]


def _of_a_dashboard(table: str) -> tuple[sa.ForeignKeyConstraint, ...]:
    name = op.f(f"fk_{table}_project_id_name")
    return (sa.ForeignKeyConstraint(["project_id", "name"], ["dashboard.project_id", "dashboard.name"], name=name),)
