"""Who may do what at the console: Cedar policies out of ``policies/trust``; a person is shown their own words.

A ``permit`` carries ``@otherwise`` (who may, said to a person whom nothing permits), a ``forbid`` ``@reason`` and
``@mend``. What a project's jobs may do is decided by policies of their own (:mod:`flip_trust.job_rules`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import cedarpy
from flip_sdk.contract.records import digest

from flip_trust.errors import DeniedError, SetupError

Role = Literal["data steward", "auditor", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)
_ASK = "Ask one of them; if it should be you, ask the Trust's operator about your role: flip-trust steward add."
SCHEMA_FILE = "schema.cedarschema"
_INSTALLED = Path(__file__).parent / "policies" / "trust"
_REPOSITORY = Path(__file__).parents[2] / "policies" / "trust"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY
"""The policies that come with flip-trust: inside the installed package, or in the repository beside it."""
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
class Known:
    """One policy, as its text says.

    Attributes:
        effect: ``permit`` or ``forbid``.
        actions: that it names; none for all.
    """

    effect: str
    actions: frozenset[str]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its stable name; empty where it has none."""
        return self.annotations.get("id", "")


@dataclass(frozen=True)
class Parsed:
    """Policies that fit their schema.

    Attributes:
        known: each of them, in the order of the text.
    """

    policies: cedarpy.PolicySet
    schema: cedarpy.Schema
    known: Sequence[Known]

    @classmethod
    def of(cls, text: str, schema: str, where: str) -> Parsed:
        """Parse and validate.

        Args:
            text: Cedar policies.
            schema: that they have to fit.
            where: the file or folder to name in what is wrong.

        Raises:
            SetupError: they cannot be read, or do not fit.
        """
        mend = f"Correct {where}."
        try:
            found = cedarpy.validate_policies(text, schema)
            parsed = cedarpy.PolicySet.from_str(text), cedarpy.Schema.from_str(schema)
        except ValueError as error:
            raise SetupError(f"The policies of {where} cannot be read: {error}", mend) from error
        if not found.validation_passed:
            wrong = "; ".join(one.error for one in found.errors)
            raise SetupError(f"The policies of {where} do not fit their schema: {wrong}", mend)
        content = json.loads(cedarpy.policies_to_json_str(text))
        if content["templates"]:
            raise SetupError(f"The policies of {where} have templates, which nothing fills.", mend)
        bodies = sorted(content["staticPolicies"].items(), key=lambda item: _place(item[0]))
        return cls(*parsed, [_policy(body) for _, body in bodies])

    def decisive(self, reasons: Sequence[str]) -> Known | None:
        """Of the policies that decided, the first one in the text."""
        return self.known[min(map(_place, reasons))] if reasons else None


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
        self._parsed = Parsed.of(text, schema, "policies/trust")
        self.ids = frozenset(policy.id for policy in self._parsed.known)

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
        result = cedarpy.is_authorized(request, self._parsed.policies, entities, self._parsed.schema)
        if result.diagnostics.errors:
            # Cedar leaves a policy that fails out of account: a forbid among them would silently permit
            raise SetupError(f"The policies failed: {result.diagnostics.errors}", "Correct policies/trust.")
        decisive = self._parsed.decisive(result.diagnostics.reasons)
        return Decision(True, decisive.id) if result.allowed and decisive else self._denial(decisive, action)

    def authorise(self, person: Person, action: str) -> None:
        """Raise the policies' own reason where they say no.

        Raises:
            DeniedError: with the policy that decided.
        """
        decision = self.decide(person, action)
        if not decision.allowed:
            raise DeniedError(decision.reason, decision.mend, decision.policy)

    def _denial(self, forbid: Known | None, action: str) -> Decision:
        if forbid:
            return Decision(False, forbid.id, forbid.annotations["reason"], forbid.annotations.get("mend", ""))
        for policy in self._parsed.known:
            if policy.effect == "permit" and action in policy.actions and "otherwise" in policy.annotations:
                return Decision(False, policy.id, policy.annotations["otherwise"], _ASK)
        return Decision(False, "", "No policy permits this.", _ASK)


@cache
def trust_policies() -> Policies:
    """The policies of the console that come with flip-trust."""
    return Policies.read(FOLDER)


def _place(name: str) -> int:
    """Where in the text a policy stands: Cedar names them ``policy0``, ``policy1``, …"""
    return int(name.removeprefix("policy"))


def _policy(body: dict[str, Any]) -> Known:
    scope = body["action"]
    entities = scope.get("entities") or ([scope["entity"]] if "entity" in scope else [])
    return Known(body["effect"], frozenset(entity["id"] for entity in entities), body.get("annotations", {}))
