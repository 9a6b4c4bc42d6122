"""One fresh key agreement key per job and Trust: X25519 (RFC 7748), never used for anything else."""

from __future__ import annotations

from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from flip_sdk.errors import SecureSumError

KEY_BYTES = 32
_FIELD = 2**255 - 19


class EphemeralKey:
    """A job's private key. It is kept where only its Trust can read it, and deleted when the job ends."""

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self._public_hex = key.public_key().public_bytes_raw().hex()

    @classmethod
    def generate(cls) -> Self:
        """A new key from the operating system's random numbers."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what :meth:`to_bytes` gave.

        Raises:
            SecureSumError: it is no key.
        """
        try:
            return cls(X25519PrivateKey.from_private_bytes(content))
        except ValueError as error:
            raise SecureSumError("This is not a key of 32 bytes.") from error

    def to_bytes(self) -> bytes:
        """The private key's 32 bytes."""
        return self._key.private_bytes_raw()

    @property
    def public_hex(self) -> str:
        """The public key's 32 bytes as 64 hexadecimal digits, as a ``KeyShare`` carries it."""
        return self._public_hex

    def agree(self, public_hex: str) -> bytes:
        """The secret that only this key's owner and the other's know: 32 bytes, to derive keys from.

        Raises:
            SecureSumError: it is not a public key, or one with which everybody would know the secret, or our own.
        """
        if public_hex == self.public_hex:
            raise SecureSumError("A key was handed back to its owner.")
        return _agree(self._key, public_hex)


def check_public(public_hex: str) -> None:
    """Refuse what is no public key to agree with.

    Raises:
        SecureSumError: not 32 bytes, not in canonical form, or a point of low order.
    """
    # a clamped scalar is a multiple of the cofactor, so any private key finds the points of low order
    _agree(X25519PrivateKey.from_private_bytes(bytes(range(KEY_BYTES))), public_hex)


def _agree(key: X25519PrivateKey, public_hex: str) -> bytes:
    try:
        content = bytes.fromhex(public_hex)
        if len(content) != KEY_BYTES or content.hex() != public_hex:
            raise ValueError("not 32 bytes")
        # RFC 7748 takes several encodings for one point; a second form of the same key must not pass for another key
        if int.from_bytes(content, "little") >= _FIELD:
            raise ValueError("not canonical")
        # cryptography refuses the all-zero secret, which is what every point of low order gives
        return key.exchange(X25519PublicKey.from_public_bytes(content))
    except ValueError as error:
        raise SecureSumError("This is not a public key that may be agreed with.") from error
