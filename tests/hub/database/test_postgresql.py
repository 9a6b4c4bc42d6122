"""PostgreSQL as an operator meets it: addresses, passwords, and what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from flip_hub.config import HubConfig
from flip_hub.database import Database, Routine, upgrade
from flip_hub.database.trouble import in_words
from flip_hub.errors import ConfigError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.hub.postgres import PASSWORD, Cluster


def _said(database: Database) -> str:
    """What the operator reads, which is never a password."""
    with pytest.raises(DBAPIError) as raised:
        upgrade(database)
    error = in_words(raised.value)
    assert error.mend
    for shown in (error.message, error.mend, str(raised.value), repr(database.engine.url)):
        assert PASSWORD not in shown
    return error.message


def _config(tmp_path: Path, url: str, password: str = PASSWORD) -> HubConfig:
    (tmp_path / "password").write_text(password + "\n")
    (tmp_path / "password").chmod(0o600)
    return HubConfig(home=tmp_path, database_url=url, database_password_file="password")


@pytest.fixture
def secured(postgres: Cluster) -> str:
    """A database that asks for a password."""
    postgres.drop("secured")
    postgres.run(f"ALTER ROLE flip PASSWORD '{PASSWORD}'")
    return postgres.url(postgres.make(name="secured"))


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_password_comes_out_of_its_file(tmp_path: Path, secured: str, scheme: str) -> None:
    config = _config(tmp_path, secured.replace("postgresql:", f"{scheme}:"))
    database = Database.of(config)
    upgrade(database)
    database.close()
    assert PASSWORD not in repr(config) + repr(database.engine)


def test_a_wrong_password_or_none_is_told(tmp_path: Path, secured: str) -> None:
    for password in ("wrong", ""):
        assert "password" in _said(Database.of(_config(tmp_path, secured, password)))


def test_a_password_has_no_place_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        HubConfig(home=tmp_path, database_url=f"postgresql://flip:{PASSWORD}@db/flip")


def test_a_password_that_all_can_read_is_refused(tmp_path: Path) -> None:
    config = _config(tmp_path, "postgresql://flip@db/flip")
    (tmp_path / "password").chmod(0o644)
    for path in ("password", "nothing"):
        with pytest.raises(ConfigError):
            HubConfig(home=tmp_path, database_url=config.database_url, database_password_file=path).database_password()


@pytest.mark.parametrize("url", ["mysql://db/flip", "flip", "postgresql://flip@db:many/flip"])
def test_addresses_that_are_none_are_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError):
        Database.of(HubConfig(home=tmp_path, database_url=url))


def test_where_nothing_listens_it_is_said(tmp_path: Path) -> None:
    assert "cannot be used" in _said(Database(f"postgresql://flip@/flip?host={tmp_path}"))
    assert "refused" in _said(Database("postgresql://flip@127.0.0.1:1/flip"))


def test_a_database_that_is_not_there_is_told(postgres: Cluster) -> None:
    assert "no such database" in _said(Database(postgres.url("nothing")))


def test_a_role_that_is_not_there_is_told(postgres: Cluster) -> None:
    assert "role" in _said(Database(postgres.url("postgres", "nobody")))


def test_a_role_that_may_not_make_tables_is_told(postgres: Cluster) -> None:
    name = postgres.make()
    postgres.run("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    postgres.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=name)
    with pytest.raises(ConfigError):
        upgrade(Database(postgres.url(name, "guest")))

    upgrade(Database(postgres.url(name)))
    assert "may not" in _said(Database(postgres.url(name, "guest")))
    postgres.drop(name)
    postgres.run("DROP ROLE guest")


def test_a_database_of_few_letters_is_refused(postgres: Cluster) -> None:
    postgres.run("DROP DATABASE IF EXISTS ascii", "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(ConfigError):
        upgrade(Database(postgres.url("ascii")))


def test_too_old_a_version_is_refused(postgres: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flip_hub.database.postgresql.OLDEST", 99)
    with pytest.raises(ConfigError):
        upgrade(Database(postgres.url(postgres.make())))


def test_who_reads_writes_nothing_and_sees_one_moment(postgres: Cluster) -> None:
    database = Database(postgres.url(postgres.make()))
    upgrade(database)
    insert = text("INSERT INTO person VALUES ('ada', 'Ada', 'Northbridge', '[]', true)")
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM person")).scalar() == 0
        with database.write(Routine("a test")) as other:
            other.execute(insert)
        assert session.execute(text("SELECT count(*) FROM person")).scalar() == 0
    with pytest.raises(DBAPIError), database.read() as session:
        session.execute(insert)
    database.close()


def test_a_connection_that_the_database_closed_is_made_anew(postgres: Cluster) -> None:
    name = postgres.make()
    database = Database(postgres.url(name))
    upgrade(database)
    with database.read() as session:
        session.execute(text("SELECT 1"))
    postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    with database.write(Routine("a test")) as session:
        session.execute(text("SELECT 1"))
    database.close()
