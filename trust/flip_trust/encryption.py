"""In production, what a Trust keeps is encrypted on its disks."""

from __future__ import annotations

from flip_sdk.at_rest import is_encrypted

from flip_trust.config import TrustConfig
from flip_trust.errors import SetupError


def required(config: TrustConfig) -> None:
    """Refuse production on disks of which nobody says that they are encrypted.

    Raises:
        SetupError: they are not seen to be, and ``encrypted_by`` tells nothing.
    """
    if config.production and not config.encrypted_by.strip() and not is_encrypted(config.home):
        raise SetupError(
            f"{config.home} is not on an encrypted disk, as far as this machine sees.",
            "Put it on LUKS, or say in encrypted_by what else encrypts its disks.",
        )
