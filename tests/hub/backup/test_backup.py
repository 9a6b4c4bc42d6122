"""A hub out of its backup is the hub that it was, whichever database holds it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

from flip_hub import audit
from flip_hub.audit import Entry
from flip_hub.backup import restore
from flip_hub.backup.places import named_columns
from flip_hub.config import HubConfig
from flip_hub.database import Database
from flip_hub.jupyterhub.accounts import has_password
from flip_hub.keys import signing_key
from flip_hub.models import BlobStore
from sqlalchemy import text

from tests.hub.backup.conftest import PHRASE, blob, content, opened, saved, told
from tests.hub.conftest import Hub


def test_everything_is_as_it_was(full: Hub, place: tuple[Path, str], tmp_path: Path) -> None:
    home, url = place
    before = content(full.office.database)
    made = saved(full, tmp_path / "hub.backup")

    done = restore(made.path, home, by="olga", told=told, passphrase=PHRASE, database_url=url, digest=made.digest)

    database = opened(home)
    after = content(database)
    with database.read() as session:
        *_, last = audit.export(session)
        assert audit.verify(session)[0] == done.entries + 1
    assert (last["event"], last["details"]["archive"]) == ("hub.restored", made.digest)
    changed = {"audit", "audit_head"}
    assert {n: r for n, r in after.items() if n not in changed} == {n: r for n, r in before.items() if n not in changed}
    assert set(before["audit"]) < set(after["audit"])
    old, new = full.office.config, HubConfig.load(home, {})
    assert new.title == "Kept"
    assert signing_key(new, "governance").public == signing_key(old, "governance").public
    assert has_password(new, "ada", "a password of hers")
    database.close()


def test_files_keep_their_bytes_and_permissions_and_links_are_told(
    full: Hub, place: tuple[Path, str], tmp_path: Path
) -> None:
    made = saved(full, tmp_path / "hub.backup")
    restore(made.path, place[0], by="olga", told=told, passphrase=PHRASE, database_url=place[1])

    folder = place[0] / "workspaces" / "cytology" / "ada" / "a b"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {
        "notes – ü.txt": "0o644",
        "run.sh": "0o700",
    }
    assert made.left_out == ("workspaces/cytology/ada/a b/elsewhere",)
    assert os.stat(made.path).st_mode & 0o077 == os.stat(place[0] / "keys" / "governance.pem").st_mode & 0o077 == 0


def test_a_hub_moves_from_one_database_to_the_other(
    full: Hub, database_kind: str, postgres_of: Callable[[], str], tmp_path: Path
) -> None:
    made = saved(full, tmp_path / "hub.backup")
    url = "" if database_kind == "postgresql" else postgres_of()
    restore(made.path, tmp_path / "new", by="olga", told=told, passphrase=PHRASE, database_url=url)

    database = opened(tmp_path / "new")
    assert database.is_sqlite is (database_kind == "postgresql")
    before, after = content(full.office.database), content(database)
    assert all(after[name] == before[name] for name in before if name not in {"audit", "audit_head"})
    with database.write(Entry("ada", "test.written", "thing/1")):
        pass
    database.close()


def _write_on(home: Path, url: str, ready: object, stop: object) -> None:
    """Blobs and the rows that name them, in the order that the hub writes them."""
    from flip_hub.database import BlobUse, now

    config = HubConfig(home=home, database_url=url)
    database, blobs, number = Database.of(config), BlobStore(config.blobs), 0
    while not stop.is_set():  # type: ignore[attr-defined]
        number += 1
        digest = blobs.put(b"%d %d" % (os.getpid(), number))
        with database.write(Entry("writer", "test.written", f"thing/{number}")) as session:
            session.add(BlobUse(project_id="cytology", digest=digest, size=1, by="ada", at=now()))
        ready.set()  # type: ignore[attr-defined]
    database.close()


def test_a_running_hub_is_backed_up_as_of_one_moment(full: Hub, place: tuple[Path, str], tmp_path: Path) -> None:
    config = full.office.config
    full.office.database.engine.dispose()
    stop, ready = multiprocessing.Event(), multiprocessing.Event()
    writers = [
        multiprocessing.Process(target=_write_on, args=(config.home, config.database_url, ready, stop))
        for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    try:
        assert ready.wait(30)
        made = saved(full, tmp_path / "hub.backup")
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    restore(made.path, place[0], by="olga", told=told, passphrase=PHRASE, database_url=place[1])

    database, blobs = opened(place[0]), BlobStore(place[0] / "blobs")
    assert made.missing == ()
    with database.read() as session:
        audit.verify(session)
        for table, column in named_columns():
            for (digest,) in session.execute(text(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")):
                assert blobs.get(digest)
    database.close()


def test_missing_and_damaged_blobs_are_told(full: Hub, place: tuple[Path, str], tmp_path: Path) -> None:
    gone, damaged, whole = (blob(full, name) for name in (b"gone", b"damaged", b"whole"))
    blobs = BlobStore(full.office.config.blobs)
    blobs.path(gone).unlink()
    blobs.path(damaged).write_bytes(b"other")

    made = saved(full, tmp_path / "hub.backup")
    done = restore(made.path, place[0], by="olga", told=told, passphrase=PHRASE, database_url=place[1])

    assert set(made.missing) == set(done.missing) == {gone, damaged}
    kept = BlobStore(place[0] / "blobs")
    assert (kept.has(whole), kept.has(gone), kept.has(damaged)) == (True, False, False)


def test_a_backup_is_in_the_audit_log(full: Hub, tmp_path: Path) -> None:
    made = saved(full, tmp_path / "hub.backup")
    with full.office.database.read() as session:
        *_, last = audit.export(session)
    assert (last["actor"], last["event"]) == ("olga", "hub.backed_up")
    assert last["details"]["archive"] == made.digest


def test_without_a_passphrase_no_secret_is_in_it(full: Hub, place: tuple[Path, str], tmp_path: Path) -> None:
    made = saved(full, tmp_path / "hub.backup", passphrase="")
    done = restore(made.path, place[0], by="olga", told=told, database_url=place[1])

    assert (made.has_secrets, done.has_secrets) == (False, False)
    assert not list((place[0] / "keys").iterdir())
    assert (full.office.config.keys / "governance.pem").read_bytes() not in made.path.read_bytes()
