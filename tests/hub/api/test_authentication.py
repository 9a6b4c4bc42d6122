"""Reading what JupyterHub says about a token."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flip_hub.api import logins
from flip_hub.api.authentication import HubAuthenticator, LoginBegun, SignedIn, signed_in
from flip_hub.errors import NotSignedInError, UnavailableError
from tornado.web import HTTPError

KEY = b"of the hub"
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
        self.model, self.error = model, error
        self.challenges: dict[str, str] = {}

    async def user_for_token(self, token: str, session_id: str, *, sync: bool) -> dict[str, Any] | None:
        if self.error:
            raise self.error
        return self.model

    def check_scopes(self, required: frozenset[str], model: dict[str, Any]) -> set[str]:
        return set(required) & set(model["scopes"])

    def let_in(self, begun: LoginBegun) -> str:
        """What the Hub does with the address that a browser is sent to: a code, for that challenge, once."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.address).query).items()}
        assert asked["state"] == begun.state
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = asked["code_challenge"]
        return code

    async def token_for_code(self, code: str, code_verifier: str, *, sync: bool) -> str:
        wanted = self.challenges.pop(code, None)
        made = urlsafe_b64encode(sha256(code_verifier.encode()).digest()).decode().rstrip("=")
        if self.error or wanted != made:
            raise self.error or HTTPError(400)
        return f"token-of-{code}"


@pytest.mark.anyio
async def test_a_token_needs_the_services_scope() -> None:
    assert await HubAuthenticator(KEY, PlayedHub(_model())).by_token("t") == SignedIn("ada")
    assert await HubAuthenticator(KEY, PlayedHub({"kind": "user", "name": "ada", "scopes": []})).by_token("t") is None
    assert await HubAuthenticator(KEY, PlayedHub(None)).by_token("t") is None


@pytest.mark.anyio
async def test_a_hub_that_is_away_is_said_to_be() -> None:
    with pytest.raises(UnavailableError):
        await HubAuthenticator(KEY, PlayedHub(error=HTTPError(502))).by_token("t")


@pytest.mark.anyio
async def test_a_login_is_finished_once() -> None:
    played = PlayedHub()
    authenticator = HubAuthenticator(KEY, played)
    begun = authenticator.begin_login("/services/flip/apply")
    code = played.let_in(begun)
    assert await authenticator.finish_login(code, begun.state) == (f"token-of-{code}", "/services/flip/apply")
    with pytest.raises(NotSignedInError):
        await authenticator.finish_login(code, begun.state)


@pytest.mark.anyio
async def test_a_login_is_finished_in_another_process_of_the_hub_and_in_no_other_hub() -> None:
    played = PlayedHub()
    begun = HubAuthenticator(KEY, played).begin_login("/services/flip/projects/größe?a=b.c")
    with pytest.raises(NotSignedInError):
        await HubAuthenticator(b"of another hub", played).finish_login(played.let_in(begun), begun.state)
    token, wanted = await HubAuthenticator(KEY, played).finish_login(played.let_in(begun), begun.state)
    assert token
    assert wanted == "/services/flip/projects/größe?a=b.c"


@pytest.mark.anyio
@pytest.mark.parametrize("harm", ["", ".", "x", "longer", "cut", "late"])
async def test_a_state_that_was_changed_or_is_late_is_none(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played = PlayedHub()
    authenticator = HubAuthenticator(KEY, played)
    begun = authenticator.begin_login("/")
    code, parts = played.let_in(begun), begun.state.split(".")
    if harm == "late":
        monkeypatch.setattr(logins.time, "time", lambda: int(parts[1]) + 1.0)
    states = {"longer": ".".join([parts[0], str(int(parts[1]) + 1), *parts[2:]]), "cut": begun.state[:-1]}
    state = begun.state if harm == "late" else states.get(harm, harm)
    with pytest.raises(NotSignedInError):
        await authenticator.finish_login(code, state)


@pytest.mark.anyio
async def test_a_code_that_was_given_for_another_sign_in_is_refused() -> None:
    played = PlayedHub()
    authenticator = HubAuthenticator(KEY, played)
    mine, theirs = authenticator.begin_login("/"), authenticator.begin_login("/")
    with pytest.raises(NotSignedInError):
        await authenticator.finish_login(played.let_in(theirs), mine.state)


@pytest.mark.anyio
async def test_a_code_that_the_hub_refuses() -> None:
    played = PlayedHub()
    authenticator = HubAuthenticator(KEY, played)
    begun = authenticator.begin_login("/")
    code = played.let_in(begun)
    played.error = HTTPError(500)
    with pytest.raises(NotSignedInError):
        await authenticator.finish_login(code, begun.state)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
