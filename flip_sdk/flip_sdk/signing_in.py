"""Signing in from outside a workspace: an address and a token, kept in a file that only its owner can read."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flip_sdk.errors import ConnectionFailedError
from flip_sdk.settings import LOOPBACK, Settings, config_file, keep

if TYPE_CHECKING:
    import httpx

    from flip_sdk.contract.api import Me

SERVICE = "/services/flip/api"


def login(address: str | None = None, token: str | None = None, *, transport: httpx.BaseTransport | None = None) -> Me:
    """Sign in to a hub and keep the token for later sessions. Inside a workspace nobody needs this.

    Args:
        address: the hub's address, such as ``https://hub.example.org``; asked for when left out.
        token: from the hub's page *Token*; asked for, without being shown, when left out.
        transport: another way to reach the hub (tests).

    Returns:
        Who you are to that hub.

    Raises:
        ConnectionFailedError: the hub does not answer, refuses the token, or would get it unencrypted.
    """
    from flip_sdk.connection import Connection
    from flip_sdk.contract.api import Me

    api = api_address(address or input("Address of the hub: "))
    token = token or getpass.getpass("Token (from the hub's page 'Token'; it is not shown): ")
    settings = Settings(api, token.strip())
    with Connection(settings, transport=transport) as connection:
        me = connection.get("me", Me)
    keep(settings, config_file())
    return me


def logout() -> bool:
    """Forget the token that :func:`login` kept. False when there was none. Revoke it on the hub's page *Token*, too."""
    try:
        os.unlink(config_file())
    except FileNotFoundError:
        return False
    return True


def api_address(address: str) -> str:
    """The JSON API's address behind what a person types.

    Raises:
        ConnectionFailedError: it is no web address, or the token would travel unencrypted.
    """
    address = address.strip()
    parts = urlsplit(address if "://" in address else f"https://{address}")
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in parts.netloc:
        raise ConnectionFailedError(f"{address!r} is not a web address.", "Give one such as https://hub.example.org.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConnectionFailedError(
            f"{address} would send your token unencrypted.", "Use the hub's https:// address; its operator knows it."
        )
    path = parts.path.rstrip("/")
    path = path if path.endswith("/api") else f"{path.removesuffix('/hub')}{SERVICE}"
    return f"{parts.scheme}://{parts.netloc}{path}"
