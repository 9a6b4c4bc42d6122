"""Putting a backup in place: everything is verified before the home has anything of it.

It is laid out in a folder inside the home; the database is filled, verified and brought forward in one transaction;
then each part is moved up, ``hub.toml`` last: without it no program of the hub starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flip_sdk.archives import (
    SEALED,
    Archive,
    ArchiveError,
    BrokenArchiveError,
    PassphraseError,
    open_archive,
    open_sealed,
    sync_folder,
)
from flip_sdk.archives.shown import Told

from flip_hub.backup import into
from flip_hub.backup.places import BLOBS, FILES, KIND
from flip_hub.config import FILE_NAME, HubConfig
from flip_hub.database import Database, Entry
from flip_hub.database.migrate import newest
from flip_hub.errors import ConfigError, ConflictError
from flip_hub.keys import write_private
from flip_hub.running import LOCK, alone

_FOLDERS = ("keys", "tls", "secrets", "jupyterhub", "workspaces", "blobs", "dashboards", "logs")
_ROOM = 64 * 1024 * 1024


@dataclass(frozen=True)
class Restored:
    """A hub that was put in place.

    Attributes:
        home: where.
        digest: of the backup.
        made_at: when the backup was made: what happened since is not in it.
        entries: of the audit log, verified.
        has_secrets: whether its keys are in place.
        kept: where what was there before is now; None where nothing was.
    """

    home: Path
    digest: str
    made_at: datetime
    rows: int
    entries: int
    has_secrets: bool
    missing: tuple[str, ...]
    kept: Path | None


def restore(
    path: Path,
    home: Path,
    *,
    by: str,
    told: Told,
    passphrase: str = "",
    replaces: bool = False,
    database_url: str | None = None,
    digest: str = "",
) -> Restored:
    """Make a hub out of a backup.

    Args:
        path: the backup.
        home: an empty folder, or one that is to be made.
        by: who does it, for the audit log.
        told: is called with the progress.
        passphrase: opens the keys; without one they are not put in place.
        replaces: what is in the home already is kept beside, in a folder of its own.
        database_url: another database than the one that was backed up; empty: SQLite in the home.
        digest: what was printed when the backup was made; empty: not compared.

    Raises:
        BrokenArchiveError: the backup is not whole, or not what it was when it was made.
        PassphraseError: the passphrase does not open the keys.
        ConflictError: the home or the database is in use, or not empty.
        ConfigError: the backup is of a newer version, or its database cannot be used.
        ArchiveError: the disk does not take it.
    """
    with open_archive(path, KIND) as archive:
        _check(archive, digest)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(home):
            before = _before(home)
            if before and not replaces:
                mend = "Give another --home, or --replace: what is there is then kept beside."
                raise ConflictError(f"{home} is not empty.", mend)
            with _draft(home, archive) as draft:
                _lay_out(archive, draft, told)
                has_secrets = _open_secrets(archive, draft, passphrase)
                config = _settings(draft, database_url)
                entries, total = _fill(archive, config, by, told)
                kept = _move_aside(home, before)
                _move_up(draft, home)
    facts = archive.manifest.facts
    missing = tuple(str(name) for name in facts.get("missing", ()))
    return Restored(home, archive.digest, archive.manifest.made_at, total, entries, has_secrets, missing, kept)


def _check(archive: Archive, digest: str) -> None:
    if digest and digest != archive.digest:
        raise BrokenArchiveError("This is not the backup with that digest.", f"Its digest is {archive.digest}.")
    if str(archive.manifest.facts.get("revision")) > newest():
        mend = f"Install flip-hub {archive.manifest.version} or newer."
        raise ConfigError("The backup is of a newer version than this program.", mend)
    if not archive.has(FILES + FILE_NAME):
        raise BrokenArchiveError(f"The backup has no {FILE_NAME}.", "Take another one.")


def _before(home: Path) -> list[Path]:
    """What is in the home: the settings first, so that nothing starts once it is being moved."""
    found = [path for path in home.iterdir() if not path.name.startswith(".") and path.name not in {LOCK, "lost+found"}]
    return sorted(found, key=lambda path: (path.name != FILE_NAME, path.name))


@contextmanager
def _draft(home: Path, archive: Archive) -> Iterator[Path]:
    needed = sum(member.size for member in archive.manifest.members) + _ROOM
    if (free := shutil.disk_usage(home).free) < needed:
        raise ArchiveError(f"{home} has room for {free:,} bytes, and {needed:,} are needed.", "Make room.")
    for left in home.glob(".restoring-*"):
        shutil.rmtree(left)  # of a restore that was killed
    draft = home / f".restoring-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    draft.mkdir(mode=0o700)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _lay_out(archive: Archive, draft: Path, told: Told) -> None:
    for name in _FOLDERS:
        (draft / name).mkdir(mode=0o700)
    members = [*archive.members(BLOBS), *archive.members(FILES)]
    done, of = 0, sum(member.size for member in members)
    for member in members:
        if member.name.startswith(FILES):
            target = draft / member.name.removeprefix(FILES)
        elif member.sha256 != "sha256:" + member.name.removeprefix(BLOBS).replace("/", ""):
            continue  # was damaged when the backup was made, which said so
        else:
            target = draft / "blobs" / member.name.removeprefix(BLOBS)
        archive.lay_out(member.name, target)
        done += member.size
        told("files", done, of)


def _open_secrets(archive: Archive, draft: Path, passphrase: str) -> bool:
    if not archive.has(SEALED):
        return False
    sealed = archive.read(SEALED)
    if not passphrase:
        mend = "Give it with --passphrase-file."
        raise PassphraseError("The backup holds the hub's keys under a passphrase.", mend)
    for name, content in open_sealed(sealed, passphrase).items():
        target = (draft / name).resolve()
        if draft.resolve() not in target.parents:
            raise BrokenArchiveError("The backup's secrets lead out of the home.", "Take another one.")
        write_private(target, content)
    return True


def _settings(draft: Path, database_url: str | None) -> HubConfig:
    if database_url is not None:
        into.write_setting(draft / FILE_NAME, "database_url", database_url)
    return HubConfig.load(draft)


def _fill(archive: Archive, config: HubConfig, by: str, told: Told) -> tuple[int, int]:
    """The database, with an entry that says where it came from. Returns entries of the audit log, and rows."""
    database = Database.of(config)
    details: dict[str, Any] = {
        "archive": archive.digest,
        "made_at": archive.manifest.made_at.isoformat(),
        "head": archive.manifest.facts["head"],
    }
    try:
        return into.fill(archive, database, Entry(by, "hub.restored", "hub", details), told)
    finally:
        database.close()


def _move_aside(home: Path, before: list[Path]) -> Path | None:
    if not before:
        return None
    kept = home / f".before-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    kept.mkdir(mode=0o700)
    for path in before:
        path.rename(kept / path.name)
    sync_folder(home)
    return kept


def _move_up(draft: Path, home: Path) -> None:
    """The settings last: until then the home is none."""
    for path in sorted(draft.iterdir(), key=lambda path: path.name == FILE_NAME):
        sync_folder(path) if path.is_dir() else None
        if path.name == FILE_NAME:
            sync_folder(home)
        path.rename(home / path.name)
    sync_folder(home)
