"""The Trust's own keys, and the hub it has pinned. Private keys never leave the home folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flip_sdk.contract.notices import HubEnrolment, TrustEnrolment
from flip_sdk.contract.signatures import PublicKey, SigningKey
from flip_sdk.errors import RecordError

from flip_trust.config import TrustConfig
from flip_trust.errors import SetupError

IDENTITY_FILE = "identity.pem"
NODE_FILE = "node.pem"


@dataclass(frozen=True)
class PinnedHub:
    """The hub's keys as people compared them at enrolment."""

    governance: PublicKey
    dispatcher: PublicKey


def create_keys(folder: Path) -> None:
    """Make the identity key (Ed25519) and the node key (P-384), readable by their owner alone; existing ones stay."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / IDENTITY_FILE).exists():
        write_private(folder / IDENTITY_FILE, SigningKey.generate().to_pem())
    if not (folder / NODE_FILE).exists():
        key = ec.generate_private_key(ec.SECP384R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(folder / NODE_FILE, pem)


def load_identity(config: TrustConfig) -> SigningKey:
    """The key that signs what this Trust sends.

    Raises:
        SetupError: there is none, or it cannot be read.
    """
    return SigningKey.from_pem(_content(config.keys / IDENTITY_FILE))


def node_key_line(config: TrustConfig) -> str:
    """OpenSSH line of the node key's public half.

    Raises:
        SetupError: there is no node key, or it cannot be read.
    """
    try:
        key = serialization.load_pem_private_key(_content(config.keys / NODE_FILE), None)
    except ValueError as error:
        raise SetupError(f"{config.keys / NODE_FILE} is not a key.", "Restore it from a backup.") from error
    line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return line.decode("ascii")


def enrolment(config: TrustConfig) -> TrustEnrolment:
    """What the hub's operator registers for this Trust.

    Raises:
        SetupError: a key is missing.
    """
    return TrustEnrolment(
        trust=config.name,
        title=config.title,
        identity_key=load_identity(config).public.x,
        node_key=node_key_line(config),
    )


def load_hub(path: Path) -> HubEnrolment:
    """The pinned hub.

    Raises:
        SetupError: there is none, or the file is not one.
    """
    try:
        record = HubEnrolment.parse(_content(path))
        x509.load_pem_x509_certificate(record.ca_certificate.encode())
    except (RecordError, ValueError) as error:
        raise SetupError(f"{path} is not a hub's enrolment record.", "Ask the hub's operator for it again.") from error
    return record


def pinned_keys(hub: HubEnrolment) -> PinnedHub:
    """The two keys that tasks and jobs are verified with."""
    return PinnedHub(governance=PublicKey(hub.governance_key), dispatcher=PublicKey(hub.dispatcher_key))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, in one step: it is never there half-written or open to others."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path} cannot be read.", "Run flip-trust init, or restore it from a backup.") from error
