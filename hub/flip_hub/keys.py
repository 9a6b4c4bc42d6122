"""The hub's private keys and its own processes' shared secrets: files that only their owner can read."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Literal

from flip_sdk.contract.notices import HubEnrolment
from flip_sdk.contract.signatures import SigningKey

from flip_hub.certificates import certificate_authority
from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError

Signer = Literal["governance", "dispatcher"]
SIGNERS: tuple[Signer, ...] = ("governance", "dispatcher")


def make_keys(config: HubConfig) -> None:
    """Make the signing keys that do not exist yet."""
    for name in SIGNERS:
        if not (config.keys / f"{name}.pem").exists():
            write_private(config.keys / f"{name}.pem", SigningKey.generate().to_pem())


def signing_key(config: HubConfig, name: Signer) -> SigningKey:
    """One of the hub's two signing keys.

    Raises:
        ConfigError: it is not there.
    """
    path = config.keys / f"{name}.pem"
    try:
        return SigningKey.from_pem(path.read_bytes())
    except (OSError, ValueError) as error:
        mend = "Make the hub's home with: flip-hub init --home …"
        raise ConfigError(f"The key {path} cannot be read.", mend) from error


def secret(config: HubConfig, name: str) -> str:
    """A secret that the hub's own processes share; made at its first use, by whichever process comes first."""
    path = config.secrets / name
    if not path.exists():
        with suppress(FileExistsError):
            write_private(path, secrets.token_hex(32).encode())
    return path.read_text(encoding="ascii")


def hub_record(config: HubConfig) -> HubEnrolment:
    """What a Trust pins: the hub's address, its public keys and its certificate authority."""
    return HubEnrolment(
        title=config.title,
        address=config.gateway,
        governance_key=signing_key(config, "governance").public.x,
        dispatcher_key=signing_key(config, "dispatcher").public.x,
        ca_certificate=certificate_authority(config),
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, completely or not at all, never over another.

    Raises:
        FileExistsError: it exists.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
