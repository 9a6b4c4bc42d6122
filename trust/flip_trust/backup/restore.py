"""Putting a Trust's backup in place: verified whole, and then it answers nobody until a steward has reconciled it.

What was debited after the backup is not in it. A ledger that has forgotten debits would let more be spent than anybody
agreed to, so until ``flip-trust ledger reconcile`` nothing is accepted and nothing debited; opt-ins are paused, as the
steward may have left a project since; and jobs that were running are ended, as their rounds may have been answered.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from flip_sdk.archives import (
    SEALED,
    Archive,
    BrokenArchiveError,
    PassphraseError,
    open_archive,
    open_sealed,
    sync_folder,
)
from flip_sdk.archives.shown import Told

from flip_trust import audit
from flip_trust.audit import Entry
from flip_trust.backup.save import DATABASE, FILES, KIND
from flip_trust.config import FILE_NAME
from flip_trust.database import Database
from flip_trust.errors import AuditBrokenError, SetupError
from flip_trust.keys import write_private

_FOLDERS = ("keys", "omop", "jobs")


def restore(path: Path, home: Path, *, by: str, told: Told, passphrase: str = "", digest: str = "") -> datetime:
    """Make a Trust's home out of a backup; an ``omop/`` and an ``imaging/`` that are there already stay.

    Args:
        path: the backup.
        home: a folder without a Trust's settings and database.
        by: who does it, for the audit log.
        told: is called with the progress.
        passphrase: opens the keys; without one they are not put in place.
        digest: what was printed when the backup was made; empty: not compared.

    Returns:
        When the backup was made.

    Raises:
        BrokenArchiveError: the backup is not whole, or not what it was when it was made.
        PassphraseError: the passphrase does not open the keys.
        SetupError: the folder is a Trust's home already, or the backup is of a newer version.
        ArchiveError: the disk does not take it.
    """
    with open_archive(path, KIND) as archive:
        if digest and digest != archive.digest:
            raise BrokenArchiveError("This is not the backup with that digest.", f"Its digest is {archive.digest}.")
        for name in (FILE_NAME, DATABASE, "keys"):
            if (home / name).exists():
                raise SetupError(f"{home} is a Trust's home already.", "Choose another folder, or move it away.")
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = home / f".restoring-{secrets.token_hex(4)}"
        draft.mkdir(mode=0o700)
        try:
            told("files", 0, 1)
            _lay_out(archive, draft, passphrase)
            _fill(archive, draft / DATABASE, by)
            _move_up(draft, home)
            told("files", 1, 1)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return archive.manifest.made_at


def _lay_out(archive: Archive, draft: Path, passphrase: str) -> None:
    archive.lay_out(DATABASE, draft / DATABASE)
    for member in archive.members(FILES):
        archive.lay_out(member.name, draft / member.name.removeprefix(FILES))
    for name in _FOLDERS:
        (draft / name).mkdir(mode=0o700)
    if not archive.has(SEALED):
        return
    if not passphrase:
        raise PassphraseError("The backup holds the Trust's keys under a passphrase.", "Give --passphrase-file.")
    for name, content in open_sealed(archive.read(SEALED), passphrase).items():
        if draft.resolve() not in (draft / name).resolve().parents:
            raise BrokenArchiveError("The backup's secrets lead out of the home.", "Take another one.")
        write_private(draft / name, content)


def _fill(archive: Archive, path: Path, by: str) -> None:
    """The chain, walked to the head that the manifest names; then the entry, the pause and the ended jobs at once."""
    database, facts = Database.open(path), archive.manifest.facts
    try:
        if audit.verify_database(database) != (facts["head"]["sequence"], facts["head"]["hash"]):
            raise BrokenArchiveError("The backup's audit log ends elsewhere than it says.", "Take another one.")
        at = datetime.now(UTC).isoformat()
        details = {"archive": archive.digest, "made_at": archive.manifest.made_at.isoformat(), "head": facts["head"]}
        with database.transaction() as transaction:
            transaction.write(
                Entry(by, "trust.restored", f"trust/{facts['trust']}", details),
                ("INSERT INTO restored (at, archive) VALUES (?, ?)", (at, archive.digest)),
                ("UPDATE consent SET state = 'paused', announced = 0 WHERE state = 'opted_in'", ()),
                ("UPDATE job SET state = 'cancelled' WHERE state = 'running'", ()),
            )
    except (AuditBrokenError, sqlite3.Error) as error:
        raise BrokenArchiveError(f"The backup's database cannot be used: {error}", "Take another one.") from error
    finally:
        database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _move_up(draft: Path, home: Path) -> None:
    """The settings last: without them no program of the Trust starts."""
    for path in sorted(draft.iterdir(), key=lambda path: path.name == FILE_NAME):
        if path.is_dir() and (home / path.name).exists():
            continue
        if path.name == FILE_NAME:
            sync_folder(home)
        path.rename(home / path.name)
    sync_folder(home)
