"""Who may do what at the console: Cedar policies out of ``policies/trust``; a person is shown their own words.

A ``permit`` carries ``@otherwise`` (who may, said to a person whom nothing permits), a ``forbid`` ``@reason`` and
``@mend``. What a project's jobs may do is not here: that is the steward's decision (:mod:`flip_trust.consent`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import cedarpy
from flip_sdk.contract.records import digest

from flip_trust.errors import DeniedError, SetupError

Role = Literal["data steward", "auditor", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)
SCHEMA_FILE = "schema.cedarschema"
_INSTALLED = Path(__file__).parent / "policies" / "trust"
_REPOSITORY = Path(__file__).parents[2] / "policies" / "trust"
_TRUST = {"type": "Trust", "id": "trust"}


@dataclass(frozen=True)
class Person:
    """Who is at the console.

    Attributes:
        name: the account or the name that was registered; part of the audit log's actor.
        role: one of :data:`ROLES`.
        active: False for one whose sign-in was closed.
    """

    name: str
    role: str
    active: bool = True

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        word = "steward" if self.role == "data steward" else self.role
        return f"{word}/{self.name}"


@dataclass(frozen=True)
class Decision:
    """What the policies say, and which of them decided."""

    allowed: bool
    policy: str
    reason: str = ""
    mend: str = ""


@dataclass(frozen=True)
class _Policy:
    effect: str
    actions: frozenset[str]
    annotations: Mapping[str, str] = field(default_factory=dict)


class Policies:
    """A set of policies, parsed and validated against its schema once.

    Args:
        text: Cedar policies.
        schema: the schema that they have to fit.

    Attributes:
        digest: of both, so that the audit log says by which policies was decided.
        ids: of every policy.

    Raises:
        SetupError: they do not.
    """

    def __init__(self, text: str, schema: str) -> None:
        self.digest = digest(f"{schema}\n{text}".encode())
        try:
            found = cedarpy.validate_policies(text, schema)
            self._schema = cedarpy.Schema.from_str(schema)
            self._policies = cedarpy.PolicySet.from_str(text)
        except ValueError as error:
            raise SetupError(f"The policies cannot be read: {error}", "Correct policies/trust.") from error
        if not found.validation_passed:
            raise SetupError(f"The policies do not fit their schema: {found.errors}", "Correct policies/trust.")
        content = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
        self._known = {name: _policy(body) for name, body in content.items()}
        self.ids = frozenset(policy.annotations["id"] for policy in self._known.values())

    @classmethod
    def read(cls, folder: Path) -> Policies:
        """The policies of a folder: every ``*.cedar`` and the schema.

        Raises:
            SetupError: there are none, or they do not fit the schema.
        """
        texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.cedar"))]
        if not texts:
            raise SetupError(f"There are no policies in {folder}.", "Install flip-trust again.")
        return cls("\n".join(texts), (folder / SCHEMA_FILE).read_text(encoding="utf-8"))

    def decide(self, person: Person, action: str) -> Decision:
        """What the policies say to this person and this action."""
        uid = {"type": "Person", "id": person.name}
        attributes = {"name": person.name, "active": person.active, "role": person.role}
        entities: list[dict[Any, Any]] = [
            {"uid": uid, "attrs": attributes, "parents": []},
            {"uid": _TRUST, "attrs": {}, "parents": []},
        ]
        request = {"principal": uid, "action": {"type": "Action", "id": action}, "resource": _TRUST, "context": {}}
        result = cedarpy.is_authorized(request, self._policies, entities, self._schema)
        if result.diagnostics.errors:
            # Cedar leaves a policy that fails out of account: a forbid among them would silently permit
            raise SetupError(f"The policies failed: {result.diagnostics.errors}", "Correct policies/trust.")
        if result.allowed:
            return Decision(True, self._known[result.diagnostics.reasons[0]].annotations["id"])
        return self._denial(sorted(result.diagnostics.reasons, key=list(self._known).index), action)

    def authorise(self, person: Person, action: str) -> None:
        """Raise the policies' own reason where they say no.

        Raises:
            DeniedError: with the policy that decided.
        """
        decision = self.decide(person, action)
        if not decision.allowed:
            raise DeniedError(decision.reason, decision.mend, decision.policy)

    def _denial(self, forbids: list[str], action: str) -> Decision:
        if forbids:
            notes = self._known[forbids[0]].annotations
            return Decision(False, notes["id"], notes["reason"], notes.get("mend", ""))
        for policy in self._known.values():
            if policy.effect == "permit" and action in policy.actions and "otherwise" in policy.annotations:
                return Decision(False, policy.annotations["id"], policy.annotations["otherwise"])
        return Decision(False, "", "No policy permits this.")


@cache
def trust_policies() -> Policies:
    """The policies that come with flip-trust: inside the installed package, or in the repository beside it."""
    return Policies.read(_INSTALLED if _INSTALLED.is_dir() else _REPOSITORY)


def _policy(body: dict[str, Any]) -> _Policy:
    scope = body["action"]
    entities = scope.get("entities") or ([scope["entity"]] if "entity" in scope else [])
    return _Policy(body["effect"], frozenset(entity["id"] for entity in entities), body.get("annotations", {}))
