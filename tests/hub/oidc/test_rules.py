"""From claims to a name, roles and factors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError, SignInError
from flip_hub.oidc import Rules

CONFIG = HubConfig(
    home=Path("/nowhere"),
    oidc_organisation_claim="organisation",
    oidc_roles="flip-researchers = researcher; flip checkers=output checker;",
)
CLAIMS: dict[str, Any] = {
    "iss": "https://provider.example",
    "sub": "u1",
    "preferred_username": "Ada@Northbridge.example",
    "name": "Ada",
    "email": "ada@northbridge.example",
    "email_verified": True,
    "amr": ["pwd", "mfa"],
    "groups": ["flip checkers", "unheard-of"],
    "organisation": " Northbridge ",
}


def test_what_is_taken_of_claims() -> None:
    proven = Rules.of(CONFIG).prove(CLAIMS)
    assert (proven.name, proven.display_name, proven.organisation) == ("ada@northbridge.example", "Ada", "Northbridge")
    assert (proven.roles, proven.methods, proven.subject) == ({"output checker"}, ("pwd", "mfa"), "u1")


@pytest.mark.parametrize(
    "changes",
    [
        {"amr": ["pwd"]},
        {"amr": None},
        {"amr": "pwd"},
        {"email_verified": False},
        {"email_verified": "true"},
        {"preferred_username": ""},
        {"preferred_username": "../ada"},
        {"preferred_username": "a/b"},
        {"preferred_username": ".hidden"},
        {"preferred_username": "a" * 65},
    ],
)
def test_who_may_not_sign_in(changes: dict[str, Any]) -> None:
    with pytest.raises(SignInError) as caught:
        Rules.of(CONFIG).prove(CLAIMS | changes)
    assert caught.value.mend


def test_a_context_is_asked_for_besides_or_instead() -> None:
    both = Rules.of(replace(CONFIG, oidc_required_acr="gold silver"))
    assert both.prove(CLAIMS | {"acr": "silver"}).context == "silver"
    for claims in (CLAIMS, CLAIMS | {"acr": "bronze"}, CLAIMS | {"acr": "gold", "amr": ["pwd"]}):
        with pytest.raises(SignInError):
            both.prove(claims)
    instead = Rules.of(replace(CONFIG, oidc_required_acr="gold", oidc_required_amr=""))
    assert instead.prove(CLAIMS | {"acr": "gold", "amr": None}).context == "gold"


@pytest.mark.parametrize("roles", ["flip-researchers", "a = astronaut", "= researcher"])
def test_roles_that_cannot_be_read_are_named(roles: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Rules.of(replace(CONFIG, oidc_roles=roles))
    assert "researcher" in caught.value.mend


def test_production_asks_for_a_second_factor() -> None:
    Rules.of(replace(CONFIG, production=True))
    with pytest.raises(ConfigError):
        Rules.of(replace(CONFIG, production=True, oidc_required_amr=""))
