"""Passwords of a demonstration's people. In production they sign in at their own organisations instead."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from flip_hub.config import HubConfig
from flip_hub.errors import InvalidError

MINIMUM_LENGTH = 10
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TABLE = "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL)"
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id as OWASP's Password Storage Cheat Sheet recommends it: as good as scrypt with 2^14 and p = 5, which it names
beside it, for an eighth of the processor time. Two hundred people sign in within a minute or two."""
_NOBODYS = _HASHER.hash(secrets.token_hex()).encode()


def set_password(config: HubConfig, name: str, password: str) -> None:
    """Give a person a password, or another one. Works before JupyterHub has ever started, and while it runs.

    Raises:
        InvalidError: a name or a password that cannot be used, or any password in production.
    """
    if config.production:
        mend = "Leave the password out: people sign in at their organisation (docs/identity.md)."
        raise InvalidError("Passwords are for demonstrations: this hub is in production.", mend)
    if not _NAME.fullmatch(name):
        raise InvalidError(f"“{name}” cannot be a person's name here.", "Use lower case, digits, '.', '_' and '-'.")
    if len(password) < MINIMUM_LENGTH:
        raise InvalidError("The password is too short.", f"Use at least {MINIMUM_LENGTH} characters.")
    with _accounts(config) as connection:
        _keep(connection, name, password)


def forget_password(config: HubConfig, name: str) -> None:
    """Take somebody's password away, where they have one."""
    if (config.jupyterhub / "accounts.sqlite").exists():
        with _accounts(config) as connection:
            connection.execute("DELETE FROM account WHERE name = ?", (name,))


def has_password(config: HubConfig, name: str, password: str) -> bool:
    """Whether this is the person's password. Takes as long for a name that does not exist.

    A password that an earlier release kept is kept anew when it was right.
    """
    with _accounts(config) as connection:
        row = connection.execute("SELECT salt, hash FROM account WHERE name = ?", (name,)).fetchone()
    salt, kept = row or (b"", _NOBODYS)
    if not salt:
        return _is(kept, password)
    right = hmac.compare_digest(_of_earlier_releases(password, salt), kept)
    if right:
        with _accounts(config) as connection:
            _keep(connection, name, password)
    return right


def _keep(connection: sqlite3.Connection, name: str, password: str) -> None:
    # the salt is in the hash
    connection.execute("REPLACE INTO account VALUES (?, ?, ?)", (name, b"", _HASHER.hash(password).encode()))


def _is(kept: bytes, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except VerifyMismatchError:
        return False


def _of_earlier_releases(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=5, maxmem=2**26)


@contextmanager
def _accounts(config: HubConfig) -> Iterator[sqlite3.Connection]:
    config.jupyterhub.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = config.jupyterhub / "accounts.sqlite"
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=20)
    try:
        with connection:
            connection.execute(_TABLE)
            yield connection
    finally:
        connection.close()
