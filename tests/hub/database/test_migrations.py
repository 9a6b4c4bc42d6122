"""The models and the migrations say the same, and migrating is safe from several processes."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flip_hub.database import Base, Database, upgrade
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable


def _upgrade(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


def test_models_are_what_the_migrations_make(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'flip.db'}")
    upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_several_processes_may_migrate_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'flip.db'}"
    with ProcessPoolExecutor(3) as pool:
        list(pool.map(_upgrade, [url] * 3))
    database = Database(url)
    assert "audit" in inspect(database.engine).get_table_names()


def test_sqlite_is_opened_for_several_processes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'flip.db'}")
    with database.engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert values == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 20_000}


def test_every_table_has_a_form_on_postgresql() -> None:
    for table in Base.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=postgresql.dialect())).strip().startswith("CREATE TABLE")
