"""Who is asking: JupyterHub says, by a token or by OAuth for pages. Tests put another ``Authenticator`` there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from tornado.web import HTTPError

from flip_hub.api import logins
from flip_hub.errors import NotSignedInError, UnavailableError

CACHE_SECONDS = 30
"""How long the Hub's answer about a token is believed: off-boarding takes at most this long."""

_WORKSPACE = re.compile(r"access:servers!server=([^/]+)/(.+)")


@dataclass(frozen=True)
class SignedIn:
    """A person, as JupyterHub knows them.

    Attributes:
        name: JupyterHub's name.
        workspace: the project that the token is confined to; None for a person's own sign-in.
        session: JupyterHub's id of the browser's session that the token was given in; a workspace's has none.
    """

    name: str
    workspace: str | None = None
    session: str = ""


@dataclass(frozen=True)
class LoginBegun:
    """Where to send a browser that is not signed in, and the state that it has to bring back."""

    address: str
    state: str


class Authenticator(Protocol):
    """Tells who is asking."""

    async def by_token(self, token: str, session_id: str = "") -> SignedIn | None:
        """The person behind a token, or None.

        Raises:
            UnavailableError: the Hub does not answer.
        """
        ...

    def begin_login(self, next_page: str) -> LoginBegun:
        """Start signing a browser in; it comes back to ``next_page``."""
        ...

    async def finish_login(self, code: str, state: str) -> tuple[str, str]:
        """The token for an OAuth code, and the page that the browser wanted.

        Raises:
            NotSignedInError: the state is not one of ours, or the code is not good.
        """
        ...


class HubAuthenticator:
    """JupyterHub, through its own client library.

    Args:
        key: the hub's, for sign-ins that are under way; all processes of the service have the same.
        auth: the library's client.
    """

    def __init__(self, key: bytes, auth: Any = None) -> None:
        from jupyterhub.services.auth import HubOAuth

        self._key = key
        self._auth = auth or HubOAuth(cache_max_age=CACHE_SECONDS)

    async def by_token(self, token: str, session_id: str = "") -> SignedIn | None:
        """The person behind a token, or None.

        Raises:
            UnavailableError: the Hub does not answer.
        """
        try:
            model = await self._auth.user_for_token(token, session_id=session_id, sync=False)
        except HTTPError as error:
            raise UnavailableError("The hub's sign-in does not answer.", "Try again in a moment.") from error
        if not model or not self._auth.check_scopes(self._auth.access_scopes, model):
            return None
        return signed_in(model)

    def begin_login(self, next_page: str) -> LoginBegun:
        """Start signing a browser in, with PKCE."""
        from tornado.httputil import url_concat

        begun = logins.begin(self._key, next_page)
        extra = {"state": begun.state, "code_challenge": begun.challenge, "code_challenge_method": "S256"}
        return LoginBegun(url_concat(self._auth.login_url, extra), begun.state)

    async def finish_login(self, code: str, state: str) -> tuple[str, str]:
        """The token for an OAuth code, and the page that the browser wanted.

        Raises:
            NotSignedInError: the state is not one of ours, or the code is not good.
        """
        begun = logins.resume(self._key, state)
        if begun is None:
            raise NotSignedInError("The sign-in took too long, or began elsewhere.", "Open the page again.")
        try:
            # the Hub takes a code once, and only with the verifier of the sign-in that it was given for
            return await self._auth.token_for_code(code, code_verifier=begun.verifier, sync=False), begun.next_page
        except HTTPError as error:
            raise NotSignedInError("The hub did not accept the sign-in.", "Open the page again.") from error


def signed_in(model: dict[str, Any]) -> SignedIn | None:
    """Read JupyterHub's model of a token's owner.

    A token that reaches exactly one named server is that workspace's: it serves that project and no other.
    """
    if model.get("kind") != "user":
        return None
    servers = {match.groups() for scope in model.get("scopes", ()) if (match := _WORKSPACE.fullmatch(scope))}
    if not servers:
        return SignedIn(model["name"], session=model.get("session_id") or "")
    if len(servers) > 1 or any(owner != model["name"] for owner, _ in servers):
        return None
    return SignedIn(model["name"], next(iter(servers))[1])
