"""Reading what JupyterHub says about a token."""

from __future__ import annotations

from typing import Any

import pytest
from flip_hub.api.authentication import HubAuthenticator, SignedIn, signed_in
from flip_hub.errors import NotSignedInError, UnavailableError
from tornado.web import HTTPError

SERVICE = "access:services!service=flip"


def _model(*scopes: str, kind: str = "user") -> dict[str, Any]:
    return {"kind": kind, "name": "ada", "scopes": [SERVICE, *scopes]}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (_model(), SignedIn("ada")),
        (_model("read:users!user=ada", "access:servers!user=ada"), SignedIn("ada")),
        (_model("access:servers!server=ada/cytology"), SignedIn("ada", "cytology")),
        (_model("access:servers!server=ada/one", "access:servers!server=ada/two"), None),
        (_model("access:servers!server=bea/cytology"), None),
        (_model(kind="service"), None),
    ],
)
def test_whose_a_token_is(model: dict[str, Any], expected: SignedIn | None) -> None:
    assert signed_in(model) == expected


class PlayedHub:
    """What ``HubOAuth`` answers, at the process boundary."""

    access_scopes = frozenset({SERVICE})
    login_url = "/hub/api/oauth2/authorize?client_id=service-flip"

    def __init__(self, model: dict[str, Any] | None = None, error: HTTPError | None = None) -> None:
        self.model, self.error, self.states = model, error, {}

    async def user_for_token(self, token: str, session_id: str, *, sync: bool) -> dict[str, Any] | None:
        if self.error:
            raise self.error
        return self.model

    def check_scopes(self, required: frozenset[str], model: dict[str, Any]) -> set[str]:
        return set(required) & set(model["scopes"])

    def generate_pkce_code_challenge(self) -> tuple[str, str, str]:
        return "verifier", "challenge", "S256"

    def generate_state(self, next_url: str, **extra: str) -> str:
        self.states["s1"] = {"next_url": next_url, **extra}
        return "s1"

    def get_code_verifier(self, state: str) -> str | None:
        return self.states.get(state, {}).get("code_verifier")

    def get_next_url(self, state: str) -> str:
        return self.states.get(state, {}).get("next_url", "/")

    def clear_oauth_state(self, state: str) -> None:
        self.states.pop(state, None)

    async def token_for_code(self, code: str, code_verifier: str, *, sync: bool) -> str:
        if self.error:
            raise self.error
        return f"token-of-{code}"


@pytest.mark.anyio
async def test_a_token_needs_the_services_scope() -> None:
    assert await HubAuthenticator(PlayedHub(_model())).by_token("t") == SignedIn("ada")
    assert await HubAuthenticator(PlayedHub({"kind": "user", "name": "ada", "scopes": []})).by_token("t") is None
    assert await HubAuthenticator(PlayedHub(None)).by_token("t") is None


@pytest.mark.anyio
async def test_a_hub_that_is_away_is_said_to_be() -> None:
    with pytest.raises(UnavailableError):
        await HubAuthenticator(PlayedHub(error=HTTPError(502))).by_token("t")


@pytest.mark.anyio
async def test_a_login_is_finished_once() -> None:
    authenticator = HubAuthenticator(PlayedHub())
    begun = authenticator.begin_login("/services/flip/apply")
    assert "code_challenge=challenge" in begun.address
    assert await authenticator.finish_login("c", begun.state) == ("token-of-c", "/services/flip/apply")
    with pytest.raises(NotSignedInError):
        await authenticator.finish_login("c", begun.state)


@pytest.mark.anyio
async def test_a_code_that_the_hub_refuses() -> None:
    played = PlayedHub()
    authenticator = HubAuthenticator(played)
    begun = authenticator.begin_login("/")
    played.error = HTTPError(500)
    with pytest.raises(NotSignedInError):
        await authenticator.finish_login("c", begun.state)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
