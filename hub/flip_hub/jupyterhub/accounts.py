"""Passwords of a demonstration's people. In production they sign in at their own organisations instead."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from flip_hub.config import HubConfig
from flip_hub.errors import InvalidError

MINIMUM_LENGTH = 10
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TABLE = "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL)"
_SALT_BYTES = 16


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
    salt = secrets.token_bytes(_SALT_BYTES)
    with _accounts(config) as connection:
        connection.execute("REPLACE INTO account VALUES (?, ?, ?)", (name, salt, _hash(password, salt)))


def forget_password(config: HubConfig, name: str) -> None:
    """Take somebody's password away, where they have one."""
    if (config.jupyterhub / "accounts.sqlite").exists():
        with _accounts(config) as connection:
            connection.execute("DELETE FROM account WHERE name = ?", (name,))


def has_password(config: HubConfig, name: str, password: str) -> bool:
    """Whether this is the person's password. Takes as long for a name that does not exist."""
    with _accounts(config) as connection:
        row = connection.execute("SELECT salt, hash FROM account WHERE name = ?", (name,)).fetchone()
    salt, wanted = row or (bytes(_SALT_BYTES), b"")
    return hmac.compare_digest(_hash(password, salt), wanted)


def _hash(password: str, salt: bytes) -> bytes:
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
