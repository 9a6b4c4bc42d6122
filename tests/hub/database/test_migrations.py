"""The models and the migrations say the same, and migrating is safe from several processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flip_hub.database import Base, Database, upgrade
from flip_hub.database.migrate import MIGRATIONS, newest
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


def test_where_nothing_is_to_migrate_nobody_who_writes_is_waited_for(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'flip.db'}")
    upgrade(database)
    with database.connect_for_migration():
        upgrade(database)


def test_the_newest_revision_is_the_last_migrations() -> None:
    assert newest() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


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


def _migrate(database: Database, direction: Callable[[Config, str], None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.connect_for_migration() as connection:
        config.attributes["connection"] = connection
        direction(config, revision)


ROWS = (
    "INSERT INTO person VALUES ('ada', 'Ada', 'Northbridge', '[]', 1)",
    "INSERT INTO trust VALUES ('aldgate', 'Aldgate', 'key', 'line', 'f', '2026-01-01', NULL, '', 1)",
    "INSERT INTO project VALUES ('cytology', 'approved', '{}', 'ada', 1, '2026-01-01', '2027-01-01')",
    "INSERT INTO consent VALUES ('aldgate', 'cytology', 'opted_in', '[\"count\"]', 1.0, 1e-5, NULL, '2026-01-01')",
    "INSERT INTO job VALUES ('job-1', 'cytology', 'count', '{}', 'd', 'completed', '', 0, 1, '[]', '', 'ada', 'key',"
    " '2026-01-01', NULL, NULL, 0)",
    "INSERT INTO task VALUES ('task-1', 'job-1', 'aldgate', 'count', 0, 1, 'answered', 'm', 'e', NULL, '2026-01-02')",
    "INSERT INTO received_update VALUES ('job-1', 'count', 0, 'aldgate', 'jws', NULL, '2026-01-01')",
)


def _one(database: Database, query: str) -> tuple[object, ...]:
    with database.engine.connect() as connection:
        return tuple(connection.exec_driver_sql(query).one())


def test_a_hub_that_ran_before_noise_shares_keeps_what_it_has(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'flip.db'}")
    _migrate(database, command.upgrade, "0001")
    with database.connect_for_migration() as connection:
        for row in ROWS:
            connection.exec_driver_sql(row)

    upgrade(database)

    assert _one(database, "SELECT trust_models FROM consent") == ('["local"]',)
    assert _one(database, "SELECT sum_attempt, attempt, state, message_id FROM task") == (0, 1, "answered", "m")
    assert _one(database, "SELECT sum_attempt, record FROM received_update") == (0, "jws")
    keys = inspect(database.engine).get_pk_constraint("received_update")["constrained_columns"]
    assert sorted(keys) == ["job_id", "round", "step", "sum_attempt", "trust"]

    _migrate(database, command.downgrade, "0001")
    assert _one(database, "SELECT record FROM received_update") == ("jws",)
