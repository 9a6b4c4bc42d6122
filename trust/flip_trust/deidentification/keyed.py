"""Pseudonyms that need no map: each is an HMAC-SHA256 of its value under the Trust's one secret.

Whoever holds the key can follow a pseudonym forward from a known identifier; nobody can go back without trying
identifiers one by one, and nobody can do either without the key. So the key file is as precious as the identifiers.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from flip_trust.durable import sync_folder
from flip_trust.errors import SetupError

KEY_FILE = "deidentification.key"
KEY_BYTES = 32
MOST_DAYS = 365


class Keyed:
    """Everything that is derived from the Trust's secret; the same after a restart and on every machine that has it.

    Args:
        secret: 32 random bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise SetupError("A de-identification key has 32 bytes.", "Restore the key file from its backup.")
        self._hmac = hmac.new(secret, digestmod=hashlib.sha256)
        self.uid = lru_cache(maxsize=65_536)(self._uid)

    @classmethod
    def load(cls, home: Path) -> Keyed:
        """The key of a Trust's home, made at first use.

        Raises:
            SetupError: it cannot be read or written, others can read it, or it is damaged.
        """
        return cls.from_file(home / KEY_FILE)

    @classmethod
    def from_file(cls, path: Path) -> Keyed:
        """The key in a file that only its owner can read; made, whole or not at all, where there is none.

        Raises:
            SetupError: it cannot be read or written, others can read it, or it is damaged.
        """
        try:
            if not path.exists():
                _make(path)
            if path.stat().st_mode & 0o077:
                raise SetupError(f"Others can read {path}.", f"Run: chmod 600 {path}")
            text = path.read_text(encoding="ascii").strip()
            return cls(bytes.fromhex(text))
        except (OSError, ValueError) as error:
            raise SetupError(f"{path} cannot be used as a key.", "Restore the key file from its backup.") from error

    def person_key(self, patient_id: str) -> str:
        """A person's pseudonymous patient ID: 16 capital letters and digits."""
        return self.pseudonym("person", patient_id)

    def shift(self, patient_id: str, most: int = MOST_DAYS) -> int:
        """Days by which all of a person's dates are moved: from -most to most, never 0."""
        number = self.number("shift", patient_id) % (2 * most)
        return number - most if number < most else number - most + 1

    def pseudonym(self, kind: str, value: str) -> str:
        """16 characters of base32 (80 bits), which fit every text VR of DICOM; each kind has its own."""
        return base64.b32encode(self._digest(kind, value)[:10]).decode("ascii")

    def number(self, kind: str, value: str) -> int:
        """63 bits, for OMOP ids; never 0."""
        return (int.from_bytes(self._digest(kind, value)[:8], "big") >> 1) or 1

    def _uid(self, uid: str) -> str:
        """A UUID-derived UID (PS3.5 B.2): ``2.25.`` and 128 bits with the marks of a UUID of version 8 (RFC 9562)."""
        number = int.from_bytes(self._digest("uid", uid)[:16], "big")
        number = number & ~(0xF << 76) & ~(0x3 << 62) | (0x8 << 76) | (0x2 << 62)
        return f"2.25.{number}"

    def _digest(self, kind: str, value: str) -> bytes:
        """Of a value as DICOM compares it: padding and surrounding spaces do not count."""
        derived = self._hmac.copy()
        plain = value.strip(" \0")
        derived.update(f"{kind}\0{plain}".encode("utf-8", "surrogatepass"))
        return derived.digest()


def _make(path: Path) -> None:
    """A new key under its name, unless another process was first: then that one's stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES).hex().encode("ascii") + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
        sync_folder(path.parent)
    finally:
        beside.unlink()
