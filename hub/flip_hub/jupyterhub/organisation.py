"""Signing in at one's organisation: OpenID Connect by oauthenticator, with what it leaves to others done here.

oauthenticator 17.4 sends and checks ``state`` and PKCE (S256). It verifies neither an ID token's signature nor its
issuer, has no nonce, and asks again by an access token that may outlive the person's place: these are ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler
from tornado.httpclient import HTTPClientError
from tornado.httputil import url_concat
from tornado.web import HTTPError

from flip_hub.database import Entry
from flip_hub.errors import SignInError
from flip_hub.governance import identities, sign_ins
from flip_hub.jupyterhub.provider import Provider, is_safe
from flip_hub.jupyterhub.signing import KnownPeople
from flip_hub.oidc import Proven, Rules

GRACE_SECONDS = 900.0
"""How long a person stays signed in while their provider does not answer."""

RETRY_SECONDS = 30.0
"""How long a provider that did not answer is left in peace: nobody's pages wait for it meanwhile."""

PATIENCE = {"connect_timeout": 5.0, "request_timeout": 10.0}

_KEPT = ("iss", "sub", "amr", "acr", "auth_time")
"""Of the ID token at sign-in: a provider need not send one again when it renews a token."""

_CLAIMS = "verified_claims"
_AWAY = "Your organisation's sign-in does not answer. Try again in a moment."


class BeginHandler(OAuthLoginHandler):  # type: ignore[misc]
    """Sends a browser to the provider, with a nonce that only this browser's cookie leads to."""

    async def get(self) -> None:
        """Find the provider, and go there."""
        try:
            await self.authenticator.discover()
        except (HTTPClientError, OSError) as error:
            raise HTTPError(503, "%s", _AWAY) from error
        except SignInError as error:
            raise HTTPError(503, "%s", str(error)) from error
        super().get()

    def set_state_cookie(self, state_cookie_value: str) -> None:
        """Keep what the cookie says: the nonce follows from it."""
        self._nonce = nonce_of(state_cookie_value)
        super().set_state_cookie(state_cookie_value)

    def authorize_redirect(self, **options: Any) -> None:
        """Ask with the nonce too."""
        options["extra_params"] = {**options["extra_params"], "nonce": self._nonce}
        super().authorize_redirect(**options)


class ReturnHandler(OAuthCallbackHandler):  # type: ignore[misc]
    """Takes a browser that comes back. What the address says is logged, never shown: anybody can write an address."""

    def check_error(self) -> None:
        """Say that the provider did not sign the person in.

        Raises:
            HTTPError: 403.
        """
        error = self.get_argument("error", "")
        if error:
            self.log.warning("The provider answered %r: %r", error, self.get_argument("error_description", ""))
            raise HTTPError(403, "Your organisation did not sign you in. Try again, or ask its help desk.")

    def check_state(self) -> None:
        """Take an answer to this browser's own question only, and of the provider that was asked (RFC 9207).

        Raises:
            HTTPError: it is not.
        """
        super().check_state()
        if self.get_argument("iss", "") not in ("", self.authenticator.flip_config.oidc_issuer):
            raise HTTPError(400, "This answer is of another provider.")


class OrganisationAuthenticator(KnownPeople, GenericOAuthenticator):  # type: ignore[misc]
    """People sign in at their organisation; who they are here, governance says."""

    login_handler = BeginHandler
    callback_handler = ReturnHandler
    method = "organisation"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rules = Rules.of(self.flip_config)
        self.provider = Provider(self.flip_config.oidc_issuer, self.client_id, self.httpfetch)
        self._asked: dict[str, float] = {}
        self._away_at = float("-inf")
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def discover(self) -> None:
        """Learn where the provider's parts are."""
        document = await self.provider.document()
        self.authorize_url, self.token_url = document["authorization_endpoint"], document["token_endpoint"]
        self.userdata_url = document.get("userinfo_endpoint", "")

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The person whom the provider sends back.

        Raises:
            HTTPError: 403 with the reason where they may not sign in, 503 where the provider does not answer.
        """
        try:
            await self.discover()
            model: dict[str, Any] = await super().authenticate(handler, data, **kwargs)
        except SignInError as error:
            await asyncio.to_thread(self._record_refusal, error)
            raise HTTPError(403, "%s", str(error)) from error
        except HTTPClientError as error:
            if 400 <= error.code < 500:
                raise HTTPError(403, "The sign-in took too long, or was used before. Try again.") from error
            raise HTTPError(503, "%s", _AWAY) from error
        except OSError as error:
            raise HTTPError(503, "%s", _AWAY) from error
        self._asked[model["name"]] = time.monotonic()
        return model

    async def get_token_info(self, handler: Any, params: dict[str, Any]) -> dict[str, Any]:
        """The provider's tokens, their ID token verified."""
        renewing = params.get("grant_type") == "refresh_token"
        tokens: dict[str, Any] = await super().get_token_info(handler, params)
        nonce = None if renewing else nonce_of(handler.get_state_cookie())
        if "id_token" in tokens:
            tokens[_CLAIMS] = await self.provider.verified(tokens["id_token"], nonce)
        elif not renewing:
            raise SignInError("Your provider sent no ID token.", "Tell the hub's operator: oidc_scopes has openid.")
        return tokens

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """What the provider says of the person: of both answers, which have to be about the same one.

        Raises:
            SignInError: they are not.
        """
        claims = token_info.pop(_CLAIMS)
        if not self.userdata_url:
            return dict(claims)
        told = await super().token_to_user(token_info)
        if told.get("sub") != claims["sub"]:
            raise SignInError("Your provider's two answers are about different people.", "Tell the hub's operator.")
        return {**told, **claims, **({group: told[group] for group in self._groups_of(told)})}

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """Their name at the hub."""
        return self._prove(user_info).name

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Let governance take them, with the roles of their groups."""
        proven = self._prove(auth_model["auth_state"][self.user_auth_state_key])
        try:
            await asyncio.to_thread(identities.take, self.database, proven, self.rules)
        except SignInError as error:
            error.who = proven.name
            raise
        return {**auth_model, "admin": False}

    def how(self, model: dict[str, Any]) -> dict[str, Any]:
        """The factors that the provider names."""
        told = model["auth_state"][self.user_auth_state_key]
        return {"issuer": told["iss"], "subject": told["sub"], "amr": told.get("amr", []), "acr": told.get("acr", "")}

    async def farewell(self, user: Any) -> str:
        """The provider's own session ends too, where it offers that: else one click would sign the next person in."""
        state = await user.get_auth_state() or {}
        try:
            end = (await self.provider.document()).get("end_session_endpoint", "")
        except (SignInError, HTTPClientError, OSError) as error:
            self.log.warning("The provider cannot be told of a sign-out: %s", error)
            return ""
        if not end or not is_safe(end) or not state.get("id_token"):
            return ""
        back = f"{self.flip_config.hub_url.rstrip('/')}/hub/login"
        asked = {"id_token_hint": state["id_token"], "client_id": self.client_id, "post_logout_redirect_uri": back}
        return str(url_concat(end, asked))

    async def still_good(self, user: Any, handler: Any) -> Any:
        """Ask the provider again, one question at a time and not too often."""
        async with self._turns[user.name]:
            since = time.monotonic() - self._asked.get(user.name, float("-inf"))
            if since < self.flip_config.oidc_refresh_seconds:
                return True
            may_stay = since < self.flip_config.oidc_refresh_seconds + GRACE_SECONDS
            if time.monotonic() - self._away_at < RETRY_SECONDS:
                return may_stay
            try:
                model = await self._renewed(user, handler)
            except (SignInError, HTTPError) as error:
                return await self._refused(user, error)
            except (HTTPClientError, OSError, ValueError) as error:
                if 400 <= getattr(error, "code", 0) < 500:
                    return await self._refused(user, error)
                self.log.warning("The provider does not answer about %s: %s", user.name, error)
                self._away_at = time.monotonic()
                return may_stay
            self._asked[user.name] = time.monotonic()
            # kept before the next request's turn: a provider takes a refresh token that was used before for stolen
            await user.save_auth_state(model["auth_state"])
            return model

    async def vouches_for(self, user: Any) -> bool:
        """Whether the provider still does. After somebody signed out, there is nothing left to ask it with."""
        if not await super().vouches_for(user):
            return False
        if await asyncio.to_thread(sign_ins.last_end, self.database, user.name) == "asked":
            return True
        return bool(await self.still_good(user, None))

    async def _renewed(self, user: Any, handler: Any) -> dict[str, Any]:
        state = await user.get_auth_state()
        if not state:
            raise SignInError("Nothing is known of this sign-in any more.", "Sign in again.")
        await self.discover()
        before = {name: state[self.user_auth_state_key].get(name) for name in _KEPT}
        if state.get("refresh_token"):
            params = self.build_refresh_token_request_params(state["refresh_token"])
            tokens = await self.get_token_info(handler, params)
            tokens.setdefault("refresh_token", state["refresh_token"])
        else:
            tokens = dict(state["token_response"])
        tokens.setdefault("id_token", state.get("id_token"))
        claims = tokens.get(_CLAIMS, before)
        if claims["sub"] != before["sub"]:
            raise SignInError("Your provider's answer is about somebody else.", "Sign in again.")
        # RFC 8176 and Core 12.2: a renewed token need not say again how the person signed in
        tokens[_CLAIMS] = {**{name: value for name, value in before.items() if value is not None}, **claims}
        model: dict[str, Any] = await self._token_to_auth_model(tokens)
        if model["name"] != user.name:
            raise SignInError("Your name at your provider has changed.", "Sign in again.")
        return model

    async def _refused(self, user: Any, error: Exception) -> bool:
        self.log.warning("The provider no longer vouches for %s: %s", user.name, error)
        self._asked.pop(user.name, None)
        await user.save_auth_state(None)
        await asyncio.to_thread(sign_ins.end_all, self.database, user.name, "provider")
        return False

    def _groups_of(self, told: dict[str, Any]) -> tuple[str, ...]:
        """The claim of groups, where this answer has it: asked just now, it is newer than a token's."""
        claim = self.flip_config.oidc_groups_claim
        return (claim,) if claim in told else ()

    def _prove(self, claims: dict[str, Any]) -> Proven:
        try:
            return self.rules.prove(claims)
        except SignInError as error:
            error.who = str(claims.get(self.flip_config.oidc_name_claim) or claims["sub"])[:100]
            raise

    def _record_refusal(self, error: SignInError) -> None:
        refused = f"person/{error.who}" if error.who else "hub"
        entry = Entry(identities.PROVIDER, "person.sign_in_refused", refused, {"reason": error.message})
        with self.database.write(entry):
            pass


def nonce_of(state_cookie: str) -> str:
    """The nonce of a sign-in: whoever sees it learns nothing of the cookie."""
    return hashlib.sha256(b"nonce\x00" + state_cookie.encode()).hexdigest()
