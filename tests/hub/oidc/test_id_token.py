"""Tokens that are good, and every way in which one is not."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from flip_hub.errors import SignInError
from flip_hub.oidc import Expected, verify
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

NOW = 1_800_000_000
KEY = ECKey.generate_key("P-256", {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "two"})
KEYS = KeySet([ECKey.import_key(KEY.as_dict(private=False)), RSAKey.import_key(OTHER.as_dict(private=False))])
EXPECTED = Expected("https://provider.example", "flip", "n1", NOW)
GOOD = {"iss": "https://provider.example", "aud": "flip", "sub": "u1", "exp": NOW + 300, "iat": NOW, "nonce": "n1"}


def encoded(value: object) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


HEADER_OF_A_SECRET = encoded({"alg": "HS256", "kid": "one"})


def token(key: Any = KEY, *, alg: str = "ES256", kid: str = "one", **changes: Any) -> str:
    claims = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return jwt.encode({"alg": alg, "kid": kid}, claims, key, algorithms=[alg])


@pytest.mark.parametrize(
    "good",
    [
        token(),
        token(OTHER, alg="RS256", kid="two"),
        token(OTHER, alg="PS256", kid="two"),
        token(aud=["flip", "another"], azp="flip"),
        token(exp=NOW - 30),
    ],
)
def test_a_good_token_tells_who_it_is(good: str) -> None:
    assert verify(good, KEYS, EXPECTED)["sub"] == "u1"


@pytest.mark.parametrize(
    "bad",
    [
        token(iss="https://elsewhere.example"),
        token(iss=None),
        token(aud="another"),
        token(aud=None),
        token(aud=["flip", "another"]),
        token(aud=["flip", "another"], azp="another"),
        token(azp="another"),
        token(exp=NOW - 300),
        token(exp=None),
        token(iat=None),
        token(iat=NOW + 3600),
        token(nonce="another"),
        token(nonce=None),
        token(sub=None),
        token(ECKey.generate_key("P-256", {"kid": "one"})),
        token(kid="unheard-of"),
        token()[:-4] + "AAAA",
        "not a token",
        "",
    ],
)
def test_a_bad_one_does_not(bad: str) -> None:
    with pytest.raises(SignInError) as caught:
        verify(bad, KEYS, EXPECTED)
    assert caught.value.mend


def test_neither_no_signature_nor_the_public_key_as_a_secret_will_do() -> None:
    claims = token().split(".")[1]
    secret = hmac.new(KEY.as_pem(private=False), f"{HEADER_OF_A_SECRET}.{claims}".encode(), "sha256").digest()
    for forged in (f"{encoded({'alg': 'none'})}.{claims}.", f"{HEADER_OF_A_SECRET}.{claims}.{encoded(secret)}"):
        with pytest.raises(SignInError):
            verify(forged, KEYS, EXPECTED)


def test_a_renewed_token_needs_no_nonce() -> None:
    renewed = Expected(EXPECTED.issuer, EXPECTED.client_id, None, NOW)
    assert verify(token(nonce=None), KEYS, renewed)["sub"] == "u1"
