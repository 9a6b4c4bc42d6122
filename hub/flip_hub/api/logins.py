"""Sign-ins that are under way: what has to be known when the browser comes back is in what it brings.

Several processes serve the pages, and a browser may come back to another one than it left: no process keeps anything.
The state is signed, so that nobody else makes one; PKCE's verifier (RFC 7636) is derived from it with the hub's key, so
that whoever sees the state in an address does not know it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

SECONDS = 600
"""How long a sign-in may take."""
_LONGEST = 1_000


@dataclass(frozen=True)
class Login:
    """A sign-in under way.

    Attributes:
        state: what the browser carries.
        verifier: PKCE's code verifier, for the Hub alone.
        next_page: where the person goes on.
    """

    state: str
    verifier: str
    next_page: str

    @property
    def challenge(self) -> str:
        """PKCE's code challenge, by S256."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())


def begin(key: bytes, next_page: str) -> Login:
    """A new sign-in; where the page's address is very long, it goes on at the first page."""
    wanted = next_page if len(next_page) <= _LONGEST else ""
    body = f"{secrets.token_urlsafe(16)}.{int(time.time()) + SECONDS}.{_text(wanted.encode())}"
    return _login(key, f"{body}.{_mac(key, 'state', body)}", body, wanted)


def resume(key: bytes, state: str) -> Login | None:
    """The sign-in that a state is of; None where it is none of this hub's, or took too long."""
    body, _, mac = state.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(key, "state", body).encode()):
        return None
    _, until, wanted = body.split(".")
    if time.time() > int(until):
        return None
    return _login(key, state, body, urlsafe_b64decode(wanted + "=" * (-len(wanted) % 4)).decode())


def _login(key: bytes, state: str, body: str, next_page: str) -> Login:
    return Login(state, _mac(key, "verifier", body), next_page)


def _mac(key: bytes, what: str, body: str) -> str:
    return _text(hmac.digest(key, f"sign-in {what} {body}".encode(), "sha256"))


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
