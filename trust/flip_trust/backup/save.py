"""Making a backup while the agent runs: the database as of one moment, settings, and keys under a passphrase.

Patients' data (``omop/``, ``imaging/``) are not in it: the hospital keeps those as it keeps its other clinical data.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from flip_sdk.archives import SEALED, pieces_of, seal, write_archive
from flip_sdk.archives.shown import Told

from flip_trust import audit
from flip_trust.audit import Entry
from flip_trust.config import FILE_NAME, TrustConfig
from flip_trust.database import Database

KIND, DATABASE, FILES = "trust", "trust.db", "files/"
_PLAIN = (FILE_NAME, "hub.json", "trust-enrolment.json")
_PAGES = 1000


def back_up(
    config: TrustConfig, database: Database, path: Path, *, by: str, told: Told, passphrase: str = ""
) -> tuple[str, int]:
    """Write what a Trust decided and spent into one file.

    Args:
        config: the Trust's settings.
        database: its database.
        path: a file that is not there yet.
        by: who does it, for the audit log.
        told: is called with the progress.
        passphrase: keys are in the backup under it; without one they are left out.

    Returns:
        The backup's digest, and how many debits it knows.

    Raises:
        ArchiveError: the file is there, or the disk does not take it.
        PassphraseError: the passphrase is too short.
        AuditBrokenError: the audit log is broken: such a backup could not be restored.
    """
    archive = write_archive(path, KIND, version("flip-trust"))
    with archive as draft, tempfile.TemporaryDirectory(dir=path.parent) as room:
        if passphrase:
            draft.add(SEALED, [seal(_secrets(config), passphrase)], packed=False)
        copy = Path(room) / DATABASE
        _copy(config.database, copy, told)
        taken = Database.open(copy)
        sequence, last = audit.verify_database(taken)
        debits = int(taken.read("SELECT count(*) AS n FROM ledger")[0]["n"])
        taken.close()
        draft.add(DATABASE, pieces_of(copy))
        for name in _PLAIN:
            draft.add(FILES + name, pieces_of(config.home / name))
        draft.facts |= {"trust": config.name, "head": {"sequence": sequence, "hash": last}, "debits": debits}
        digest = draft.manifest().digest()
    with database.transaction() as transaction:
        details = {"archive": digest, "debits": debits, "keys": bool(passphrase)}
        transaction.write(Entry(by, "trust.backed_up", f"trust/{config.name}", details))
    return digest, debits


def _copy(source: Path, target: Path, told: Told) -> None:
    target.touch(mode=0o600)
    old, new = sqlite3.connect(source, timeout=20), sqlite3.connect(target)
    with closing(old), closing(new):
        # one moment, whoever writes meanwhile
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM audit_head").fetchone()
        old.backup(new, pages=_PAGES, progress=lambda _, left, of: told("database", of - left, of))


def _secrets(config: TrustConfig) -> dict[str, bytes]:
    """Keys, and every small file of the home that is not a setting: the key of pseudonyms, a PACS's password …"""
    plain = {*_PLAIN, *(path.name for path in config.home.glob("trust.db*"))}
    top = (path for path in config.home.iterdir() if path.is_file() and path.name not in plain)
    paths = [*config.keys.iterdir(), *(path for path in top if path.suffix != ".lock")]
    return {path.relative_to(config.home).as_posix(): path.read_bytes() for path in sorted(paths)}
