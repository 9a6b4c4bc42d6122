"""Verifying an ID token: OpenID Connect Core 1.0, section 3.1.3.7. Pure: a token and keys in, claims out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from flip_hub.errors import SignInError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures by a private key that the provider alone has: neither ``none`` nor a secret that the hub knows too."""

LEEWAY_SECONDS = 60
MEND = "Try again; if it stays so, tell the hub's operator."


@dataclass(frozen=True)
class Expected:
    """What a token has to say.

    Attributes:
        issuer: the provider, as its discovery document names it.
        client_id: the hub's name at the provider.
        nonce: what this sign-in was begun with; None where a token is renewed, for which there is none.
        now: seconds since 1970.
    """

    issuer: str
    client_id: str
    nonce: str | None
    now: float


def verify(token: str, keys: KeySet, expected: Expected) -> dict[str, Any]:
    """The claims of a token that the provider signed for this hub, and for this sign-in.

    Raises:
        SignInError: its signature, issuer, audience, times, nonce or subject are not good.
    """
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        _registry(expected).validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise SignInError(f"Your provider's word is not good ({_words(error)}).", MEND) from error
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    party = claims.get("azp")
    if (len(audiences) > 1 and party is None) or party not in (None, expected.client_id):
        raise SignInError("Your provider's word is not good (it was given to another program).", MEND)
    return dict(claims)


def _registry(expected: Expected) -> jwt.JWTClaimsRegistry:
    nonce: dict[str, Any] = {} if expected.nonce is None else {"nonce": {"essential": True, "value": expected.nonce}}
    return jwt.JWTClaimsRegistry(
        now=int(expected.now),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        **nonce,
    )


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
