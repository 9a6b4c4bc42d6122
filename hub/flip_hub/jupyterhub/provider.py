"""The provider at which people sign in: where its parts are, and its keys, read once and again when they change."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from flip_hub.errors import ConfigError, SignInError
from flip_hub.oidc import Expected, verify
from flip_hub.oidc.id_token import MEND

KEYS_SECONDS = 60.0
"""A key that nobody knows makes the hub look again, but not more often than this."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PARTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

Fetch = Callable[[str], Awaitable[Any]]
"""Gets a JSON document from an address."""


@dataclass
class Provider:
    """One provider, by its discovery document (OpenID Connect Discovery 1.0).

    Attributes:
        issuer: its address, as it names itself.
        client_id: the hub's name there.
        fetch: gets JSON.
    """

    issuer: str
    client_id: str
    fetch: Fetch
    clock: Callable[[], float] = time.monotonic
    _document: dict[str, Any] = field(default_factory=dict)
    _keys: KeySet | None = None
    _read_at: float = float("-inf")

    async def document(self) -> dict[str, Any]:
        """Its discovery document.

        Raises:
            SignInError: it names another issuer, or a part that is not protected on its way.
        """
        if not self._document:
            found = await self.fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if not isinstance(found, dict) or found.get("issuer") != self.issuer:
                raise SignInError("Your provider does not name itself as it should.", MEND)
            if not all(is_safe(str(found.get(part, ""))) for part in _PARTS):
                raise SignInError("Your provider has a part that is not at an https address.", MEND)
            self._document = found
        return self._document

    async def verified(self, token: str, nonce: str | None) -> dict[str, Any]:
        """The claims of an ID token that this provider signed for this hub.

        Raises:
            SignInError: it is not good.
        """
        expected = Expected(self.issuer, self.client_id, nonce, time.time())
        return verify(token, await self._keys_for(token), expected)

    async def _keys_for(self, token: str) -> KeySet:
        """Its keys; read again where the token names one that is not among them: providers change theirs."""
        if self._keys is None or (not self._knows(token) and self.clock() - self._read_at >= KEYS_SECONDS):
            document = await self.document()
            try:
                self._keys = KeySet.import_key_set(await self.fetch(document["jwks_uri"]))
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise SignInError("Your provider's keys cannot be read.", MEND) from error
            self._read_at = self.clock()
        return self._keys

    def _knows(self, token: str) -> bool:
        assert self._keys is not None
        try:
            self._keys.get_by_kid(extract_compact(token.encode()).headers().get("kid"))
        except InvalidKeyIdError:
            return False
        except (JoseError, ValueError):
            return True
        return True


def is_safe(address: str) -> bool:
    """Whether what is sent there is protected: https, or this computer."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def check_issuer(address: str, *, production: bool) -> None:
    """Refuse an address that is none, or is not protected.

    Raises:
        ConfigError: it is not.
    """
    if not is_safe(address) or (production and not address.startswith("https:")):
        raise ConfigError(f"“{address}” is no address of a provider.", "Give oidc_issuer as https://…")
