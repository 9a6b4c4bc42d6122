"""The models and the migrations say the same, and migrating is safe from several processes."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Barrier, Process, synchronize
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flip_hub.database import Base, Database, upgrade
from flip_hub.database.migrate import MIGRATIONS, newest
from flip_hub.errors import ConfigError
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError


def _upgrade(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


def test_models_are_what_the_migrations_make(store: str) -> None:
    database = Database(store)
    upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_several_processes_may_migrate_at_once(store: str) -> None:
    with ProcessPoolExecutor(3) as pool:
        list(pool.map(_upgrade, [store] * 3))
    database = Database(store)
    assert "audit" in inspect(database.engine).get_table_names()


def test_several_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    start = Barrier(3)
    programs = [Process(target=_open_each, args=(start, tmp_path, 100)) for _ in range(3)]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    assert [program.exitcode for program in programs] == [0, 0, 0]


def test_a_newer_programs_tables_are_left_alone(store: str) -> None:
    database = Database(store)
    upgrade(database)
    with database.connect_for_migration() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError):
        upgrade(database)


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


def _open_each(start: synchronize.Barrier, folder: Path, files: int) -> None:
    refused = 0
    for number in range(files):
        database = Database(f"sqlite:///{folder / str(number)}.db")
        start.wait()
        try:
            with database.engine.connect():
                pass
        except OperationalError:
            refused += 1
        database.close()
    sys.exit(refused)
