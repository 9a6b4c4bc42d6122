"""In production, what the hub keeps is encrypted on its disks."""

from __future__ import annotations

from flip_sdk.at_rest import is_encrypted

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError


def required(config: HubConfig) -> None:
    """Refuse production on disks of which nobody says that they are encrypted.

    Raises:
        ConfigError: they are not seen to be, or the database lies elsewhere, and ``encrypted_by`` tells nothing.
    """
    if not config.production or config.encrypted_by.strip():
        return
    mend = "Put it on LUKS, or say in encrypted_by what else encrypts its disks."
    if config.database_url:
        raise ConfigError("Whether the database's disks are encrypted cannot be seen from here.", mend)
    if not is_encrypted(config.home):
        raise ConfigError(f"{config.home} is not on an encrypted disk, as far as this machine sees.", mend)
