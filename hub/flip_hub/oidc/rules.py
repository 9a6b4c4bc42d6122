"""From a provider's claims to what the hub takes of them: name, organisation, roles, and how the person signed in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError, SignInError
from flip_hub.governance.requirements import ROLES

NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
"""A name is a folder and part of addresses: it holds nothing that leads out of either."""


@dataclass(frozen=True)
class Proven:
    """What a provider's verified claims say of a person.

    Attributes:
        issuer: the provider.
        subject: what never changes there, and is never given to anybody else.
        name: their name at the hub.
        display_name: how others see them.
        organisation: empty where the provider does not say.
        roles: what their groups give.
        methods: ``amr``.
        context: ``acr``.
    """

    issuer: str
    subject: str
    name: str
    display_name: str
    organisation: str
    roles: frozenset[str]
    methods: tuple[str, ...]
    context: str


@dataclass(frozen=True)
class Rules:
    """What the hub's settings make of claims.

    Attributes:
        roles: group → role.
    """

    config: HubConfig
    roles: Mapping[str, str]

    @classmethod
    def of(cls, config: HubConfig) -> Rules:
        """The rules of a hub.

        Raises:
            ConfigError: ``oidc_roles`` cannot be read, names a role that there is not, or nothing asks for a second
                factor in production.
        """
        if config.production and not (config.oidc_required_amr.split() or config.oidc_required_acr.split()):
            raise ConfigError(
                "Nothing asks for a second factor.",
                "Set oidc_required_amr or oidc_required_acr, as your provider has it.",
            )
        pairs = [pair.partition("=") for pair in config.oidc_roles.split(";") if pair.strip()]
        roles = {group.strip(): role.strip() for group, _, role in pairs}
        if wrong := sorted(group for group, role in roles.items() if not group or role not in ROLES):
            mend = f"Write “group = role; group = role”, with roles out of: {', '.join(ROLES)}."
            raise ConfigError(f"oidc_roles cannot be read at: {', '.join(wrong) or '='}.", mend)
        return cls(config, roles)

    @property
    def given(self) -> frozenset[str]:
        """Roles that groups alone give."""
        return frozenset(self.roles.values())

    def prove(self, claims: Mapping[str, Any]) -> Proven:
        """What these verified claims say.

        Raises:
            SignInError: no second factor, an unverified e-mail address, or no name that can be used.
        """
        methods, context = _words(claims.get("amr")), str(claims.get("acr") or "")
        self._check_factor(methods, context)
        if self.config.oidc_verified_email and claims.get("email") and claims.get("email_verified") is not True:
            raise SignInError(
                "Your e-mail address is not verified at your provider.", "Verify it there, and try again."
            )
        name = str(claims.get(self.config.oidc_name_claim) or "").strip().lower()
        if not NAME.fullmatch(name):
            mend = f"Ask the hub's operator: the claim {self.config.oidc_name_claim} has to be a name."
            raise SignInError("Your provider gives you no name that can be used here.", mend)
        groups = _words(claims.get(self.config.oidc_groups_claim))
        organisation = claims.get(self.config.oidc_organisation_claim) if self.config.oidc_organisation_claim else ""
        return Proven(
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            name=name,
            display_name=str(claims.get("name") or name)[:200],
            organisation=str(organisation or "").strip()[:200],
            roles=frozenset(self.roles[group] for group in groups if group in self.roles),
            methods=methods,
            context=context,
        )

    def _check_factor(self, methods: tuple[str, ...], context: str) -> None:
        wanted, contexts = set(self.config.oidc_required_amr.split()), self.config.oidc_required_acr.split()
        if (wanted and not wanted & set(methods)) or (contexts and context not in contexts):
            raise SignInError(
                "You signed in without a second factor.",
                "Set one up at your organisation (an app, a key or a card), sign out there, and sign in with it.",
            )


def _words(value: object) -> tuple[str, ...]:
    """A claim that is a list, or a single word where there is one."""
    if isinstance(value, str):
        return (value,)
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
