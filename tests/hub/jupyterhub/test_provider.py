"""Where a provider's parts and keys are: read once, and again when a key is new."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from flip_hub.errors import SignInError
from flip_hub.jupyterhub.provider import KEYS_SECONDS, Provider
from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://login.example.org"
DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


class Played:
    """What the provider's addresses answer, at the process boundary."""

    def __init__(self, **changes: Any) -> None:
        self.document, self.asked, self.moment = DOCUMENT | changes, [], 0.0
        self.key = ECKey.generate_key("P-256", {"kid": "one"})
        self.provider = Provider(ISSUER, "flip", self.fetch, lambda: self.moment)

    async def fetch(self, address: str) -> Any:
        self.asked.append(address)
        return {"keys": [self.key.as_dict(private=False)]} if address.endswith("/keys") else self.document

    def verified(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "flip", "sub": "u1", "iat": now, "exp": now + 60, "nonce": "n"}
        token = jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key, algorithms=["ES256"])
        return asyncio.run(self.provider.verified(token, "n"))


def test_document_and_keys_are_read_once() -> None:
    played = Played()
    for _ in range(3):
        assert played.verified()["sub"] == "u1"
    assert played.asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]


def test_a_new_key_is_looked_for_but_not_by_everybody_who_makes_one_up() -> None:
    played = Played()
    played.verified()
    played.key = ECKey.generate_key("P-256", {"kid": "two"})
    with pytest.raises(SignInError):
        played.verified()
    played.moment = KEYS_SECONDS
    assert played.verified()["sub"] == "u1"
    assert played.asked.count(f"{ISSUER}/keys") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://login.example.org/token"},
        {"jwks_uri": "http://login.example.org/keys"},
        {"authorization_endpoint": ""},
        {"jwks_uri": None},
    ],
)
def test_a_provider_that_is_not_protected_or_another_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SignInError):
        Played(**changes).verified()
