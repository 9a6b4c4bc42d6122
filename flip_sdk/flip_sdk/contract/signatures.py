"""JWS signatures (RFC 7515, Ed25519 per RFC 9864) over canonical records.

The record's type is signed as ``typ``, so that a signature made for one kind of record can never be passed off for
another. Verification is pure: bytes in, verified record out.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from functools import cached_property
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from flip_sdk.contract.records import Record
from flip_sdk.errors import SignatureError

ALGORITHM = "Ed25519"
MAX_JWS_BYTES = 4 * 1024 * 1024
SomeRecord = TypeVar("SomeRecord", bound=Record)
_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])
_REGISTRY.max_payload_length = MAX_JWS_BYTES


class SigningKey:
    """An Ed25519 private key, for signing records."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key from the operating system's random numbers."""
        return cls(OKPKey.generate_key("Ed25519"))

    @classmethod
    def from_pem(cls, content: bytes) -> SigningKey:
        """Read an unencrypted PKCS #8 PEM."""
        return cls(OKPKey.import_key(content))

    def to_pem(self) -> bytes:
        """Unencrypted PKCS #8 PEM: keep it in a file that only its owner can read."""
        return bytes(self._key.as_pem(private=True))

    @property
    def public(self) -> PublicKey:
        """The key to hand out."""
        return PublicKey(str(self._key.as_dict(private=False)["x"]))

    def sign(self, record: Record) -> str:
        """Compact JWS over the record's canonical JSON."""
        header = {"alg": ALGORITHM, "typ": _type_of(type(record)), "kid": self.public.fingerprint}
        return jws.serialize_compact(header, record.canonical(), self._key, registry=_REGISTRY)


class PublicKey:
    """An Ed25519 public key, written as its 32 bytes in base64url."""

    def __init__(self, x: str) -> None:
        self.x = x
        try:
            self._key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
            # the key is parsed lazily: a malformed one has to fail here, not at the first signature
            if not isinstance(self._key.raw_value, Ed25519PublicKey):
                raise TypeError("not Ed25519")
        except (JoseError, ValueError, TypeError, binascii.Error) as error:
            raise SignatureError("This is not an Ed25519 public key.", "Ask for the key again.") from error

    @cached_property
    def fingerprint(self) -> str:
        """RFC 7638 thumbprint (SHA-256, base64url): what two people compare aloud at enrolment."""
        return self._key.thumbprint()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.x == self.x

    def __hash__(self) -> int:
        return hash(self.x)


def verify(content: str | bytes, key: PublicKey, expected: type[SomeRecord]) -> SomeRecord:
    """Verify one compact JWS with one pinned key and return the record inside.

    Raises:
        SignatureError: not a JWS, not by this key, or signed as another kind of record.
        RecordError: properly signed, but not a valid record.
    """
    if len(content) > MAX_JWS_BYTES:
        raise SignatureError("The signed record is larger than any record may be.")
    try:
        token = jws.deserialize_compact(content, key._key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise SignatureError("The signature does not verify.", "It was not made by the pinned key.") from error
    if token.headers().get("typ") != _type_of(expected):
        raise SignatureError("The signature is over another kind of record.")
    return expected.parse(token.payload or b"")


def signer_of(content: str | bytes, known: Mapping[str, PublicKey]) -> tuple[str, PublicKey]:
    """Which of the known keys (by owner's name) a JWS claims; the claim is checked by :func:`verify`, not here.

    Raises:
        SignatureError: none of them.
    """
    text = content.decode("ascii", "replace") if isinstance(content, bytes) else content
    try:
        segment = text.split(".", 1)[0].replace("-", "+").replace("_", "/")
        header = json.loads(binascii.a2b_base64(segment + "=" * (-len(segment) % 4)))
        kid = header["kid"]
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise SignatureError("This is not a signed record.") from error
    for name, key in known.items():
        if key.fingerprint == kid:
            return name, key
    raise SignatureError("Signed by a key that is not known here.", "Enrol it first.")


def _type_of(record: type[Record]) -> str:
    return f"flip-{record.__name__.lower()}+jws"
