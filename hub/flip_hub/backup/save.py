"""Making a backup while the hub runs.

The database first, in one snapshot; then the blobs, which are written before the rows that name them and never change:
so every blob that the snapshot names is there when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from flip_sdk.archives import PIECE, SEALED, Draft, pieces_of, seal, write_archive
from flip_sdk.archives.shown import Told
from flip_sdk.contract.log_entries import GENESIS
from sqlalchemy import text
from sqlalchemy.orm import Session

from flip_hub.backup import rows
from flip_hub.backup.places import BLOBS, FILES, KIND, TABLES, named_columns, plain_files, secret_files
from flip_hub.config import HubConfig
from flip_hub.database import AuditHead, Database, Entry
from flip_hub.database.chain import CHAIN


@dataclass(frozen=True)
class Saved:
    """A backup that was made.

    Attributes:
        digest: of its manifest, and so of everything in it: to be kept elsewhere.
        size: bytes of the file.
        has_secrets: whether keys are in it.
        missing: blobs that the database names and that are not here, or no longer have their digest.
        left_out: files that are neither folders nor plain files, or cannot be read.
    """

    path: Path
    digest: str
    size: int
    rows: int
    blobs: int
    has_secrets: bool
    missing: tuple[str, ...]
    left_out: tuple[str, ...]


def back_up(
    config: HubConfig,
    database: Database,
    path: Path,
    *,
    by: str,
    told: Told,
    passphrase: str = "",
    workspaces: bool = True,
) -> Saved:
    """Write everything of a hub into one file.

    Args:
        config: the hub's settings.
        database: its database.
        path: a file that is not there yet.
        by: who does it, for the audit log.
        told: is called with the progress.
        passphrase: keys are in the backup under it; without one they are left out.
        workspaces: whether people's files are in it.

    Raises:
        ArchiveError: the file is there, or the disk does not take it.
        PassphraseError: the passphrase is too short.
    """
    with write_archive(path, KIND, version("flip-hub")) as draft:
        # first, as a passphrase that is too short is told at once
        if passphrase:
            draft.add(SEALED, [seal(secret_files(config), passphrase)], packed=False)
        with database.read() as session:
            named = _database(draft, session, told)
        blobs = dict(_blobs(draft, config, told))
        missing = sorted(digest for digest in named if not blobs.get(digest))
        left_out = _files(draft, config, told, workspaces=workspaces)
        draft.facts |= {"has_secrets": bool(passphrase), "missing": missing, "left_out": left_out}
        manifest = draft.manifest()
    saved = Saved(
        path,
        manifest.digest(),
        path.stat().st_size,
        int(draft.facts["rows"]),
        len(blobs),
        bool(passphrase),
        tuple(missing),
        tuple(left_out),
    )
    details = {"archive": saved.digest, "head": draft.facts["head"], "keys": saved.has_secrets}
    with database.write(Entry(by, "hub.backed_up", "hub", details)):
        pass
    return saved


def _database(draft: Draft, session: Session, told: Told) -> set[str]:
    """Every table as of one moment. Returns the blobs that it names."""
    head, connection = session.get(AuditHead, CHAIN), session.connection()
    tables = rows.tables_of(connection)
    of, done = sum(rows.count(connection, table) for table in tables), 0
    for table in tables:
        for_table = rows.count(connection, table)
        draft.add(f"{TABLES}{table.name}.jsonl", _counted(rows.lines_of(connection, table), done - 1, of, told))
        done += for_table
    draft.facts |= {
        "rows": of,
        "revision": str(connection.execute(text(f"SELECT version_num FROM {rows.REVISION}")).scalar_one()),  # noqa: S608
        "head": {"sequence": head.sequence, "hash": head.hash} if head else {"sequence": 0, "hash": GENESIS},
        "database": connection.dialect.name,
    }
    named = (f'SELECT DISTINCT "{column}" FROM "{table}"' for table, column in named_columns())  # noqa: S608
    return {str(found) for query in named for (found,) in connection.execute(text(query)) if found}


def _counted(lines: Iterator[bytes], before: int, of: int, told: Told) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        if number % 1000 == 0:
            told("rows", max(before + number, 0), of)
        yield line


def _blobs(draft: Draft, config: HubConfig, told: Told) -> Iterator[tuple[str, bool]]:
    """Every blob, and whether it still has its digest."""
    found = sorted(path for path in config.blobs.glob("??/*") if path.is_file())
    of = sum(path.stat().st_size for path in found)
    done = 0
    for path in found:
        name = path.parent.name + path.name
        member = draft.add(f"{BLOBS}{path.parent.name}/{path.name}", pieces_of(path), packed=False)
        done += member.size
        told("blobs", done, of)
        yield f"sha256:{name}", member.sha256 == f"sha256:{name}"


def _files(draft: Draft, config: HubConfig, told: Told, *, workspaces: bool) -> list[str]:
    """Plain files. Returns those that could not be taken."""
    left_out = []
    found = list(plain_files(config, workspaces=workspaces))
    for number, (name, path) in enumerate(found, start=1):
        told("files", number, len(found))
        if path.is_symlink() or not path.is_file():
            left_out.append(name)
            continue
        try:
            file = path.open("rb")
        except OSError:
            left_out.append(name)
            continue
        # once open it can be read to its end, even if somebody deletes it meanwhile
        with file:
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
            draft.add(FILES + name, iter(partial(file.read, PIECE), b""), mode=mode)
    return left_out
