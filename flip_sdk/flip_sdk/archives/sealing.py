"""Secrets in an archive: under a passphrase, by Scrypt (RFC 7914) and Fernet, both of the library ``cryptography``."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from flip_sdk.archives.errors import PassphraseError

SEALED = "secrets.sealed"
LEAST_LETTERS = 12
_N, _R, _P, _SALT = 2**16, 8, 1, 16
_HEADER = b"flip-sealed-1\n"


def passphrase_of(text: str) -> str:
    """A passphrase that may be used.

    Raises:
        PassphraseError: it is too short.
    """
    if len(text) < LEAST_LETTERS:
        raise PassphraseError("The passphrase is too short.", f"Use {LEAST_LETTERS} letters or more: several words.")
    return text


def seal(files: Mapping[str, bytes], passphrase: str) -> bytes:
    """Files by their path, unreadable without the passphrase."""
    salt = secrets.token_bytes(_SALT)
    content = json.dumps({name: base64.b64encode(data).decode() for name, data in sorted(files.items())}).encode()
    return _HEADER + salt + _box(passphrase_of(passphrase), salt).encrypt(content)


def open_sealed(content: bytes, passphrase: str) -> dict[str, bytes]:
    """What was sealed.

    Raises:
        PassphraseError: the passphrase is another one, or the bytes were changed.
    """
    salt, token = content[len(_HEADER) : len(_HEADER) + _SALT], content[len(_HEADER) + _SALT :]
    try:
        if not content.startswith(_HEADER):
            raise InvalidToken
        plain = _box(passphrase, salt).decrypt(token)
    except InvalidToken as error:
        mend = "Give the one that was used when the backup was made."
        raise PassphraseError("The passphrase does not open the keys in this archive.", mend) from error
    return {name: base64.b64decode(data) for name, data in json.loads(plain).items()}


def _box(passphrase: str, salt: bytes) -> Fernet:
    key = Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(passphrase.encode())
    return Fernet(base64.urlsafe_b64encode(key))
