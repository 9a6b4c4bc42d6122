"""Who may: Cedar policies, read from ``policies/hub``, decide; their own words are the reason a person is shown.

A ``permit`` carries ``@otherwise`` (who may, said to a person whom nothing permits), a ``forbid`` ``@reason`` and
``@mend``. *When* something may be done is not here but in the state tables (``flip_hub.governance.when``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cedarpy
from flip_sdk.contract.records import digest

from flip_hub.errors import ConfigError, DeniedError

SCHEMA_FILE = "schema.cedarschema"
MOST_KEPT = 10_000
"""Answers that are kept."""
_ASK = "Ask one of them; if it should be you, ask the project's owner about its team or the operator about your roles."
_INSTALLED = Path(__file__).parent / "policies"
_REPOSITORY = Path(__file__).parents[2] / "policies" / "hub"


@dataclass(frozen=True)
class Subject:
    """Who asks.

    Attributes:
        workspace: the project that a workspace's token is confined to; empty for a person's own sign-in.
        scopes: what a program was given its token for; None for a person.
        lapsed: roles whose work is taken away, as a record that they need is missing or has ended.
        warnings: what the person is told of their records; no policy reads it.
        emergencies: projects that they read by emergency access at this moment, each with its id.
    """

    name: str
    organisation: str
    roles: frozenset[str]
    active: bool = True
    workspace: str = ""
    scopes: frozenset[str] | None = None
    lapsed: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    emergencies: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Object:
    """What is asked for: a project, something at its airlock (``item``), someone's records (``person``), or the hub.

    Attributes:
        item: id of a release request, a released file, a file on its way in, or a blob.
        author: who asked for it.
        released: whether it was released, and not revoked.
        audience: for whom then: ``project``, ``signed-in`` or ``public``.
        guests: of a dashboard, whom a link admits at this moment; of a link, whom it names.
        inside: of a blob, whether workspaces may read it.
        outside: of a blob, whether it may be read elsewhere.
        person: whose records they are.
        emergency: id of an emergency access, which ``author`` opened.
    """

    project: str = ""
    owner: str = ""
    members: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    submitted: bool = False
    reviewers: frozenset[str] = frozenset()
    reviewing_organisations: frozenset[str] = frozenset()
    item: str = ""
    author: str = ""
    released: bool = False
    audience: str = "project"
    guests: frozenset[str] = frozenset()
    inside: bool = False
    outside: bool = False
    recused: frozenset[str] = frozenset()
    unsigned: frozenset[str] = frozenset()
    person: str = ""
    emergency: str = ""


@dataclass(frozen=True)
class Decision:
    """What the policies say, and which of them decided."""

    allowed: bool
    policy: str
    reason: str = ""
    mend: str = ""


_Question = tuple[Subject, str, Object]


@dataclass(frozen=True)
class _Policy:
    effect: str
    actions: frozenset[str]
    annotations: Mapping[str, str] = field(default_factory=dict)


class Policies:
    """A set of policies, parsed and validated against its schema once.

    What they say depends on what they are asked alone (whom, what, to which thing as it is): an answer is kept, and the
    same question is not put to Cedar twice.

    Args:
        text: Cedar policies.
        schema: the schema that they have to fit.

    Attributes:
        digest: of both, so that the audit log says by which policies was decided.

    Raises:
        ConfigError: they do not.
    """

    def __init__(self, text: str, schema: str) -> None:
        self.digest = digest(f"{schema}\n{text}".encode())
        try:
            found = cedarpy.validate_policies(text, schema)
            self._schema = cedarpy.Schema.from_str(schema)
            self._policies = cedarpy.PolicySet.from_str(text)
        except ValueError as error:
            raise ConfigError(f"The policies cannot be read: {error}", "Correct policies/hub.") from error
        if not found.validation_passed:
            raise ConfigError(f"The policies do not fit their schema: {found.errors}", "Correct policies/hub.")
        content = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
        self._known = {name: _policy(body) for name, body in content.items()}
        self._said: dict[_Question, Decision] = {}

    @classmethod
    def read(cls, folder: Path) -> Policies:
        """The policies of a folder: every ``*.cedar`` and the schema.

        Raises:
            ConfigError: there are none, or they do not fit the schema.
        """
        texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.cedar"))]
        if not texts:
            raise ConfigError(f"There are no policies in {folder}.", "Install flip-hub again.")
        return cls("\n".join(texts), (folder / SCHEMA_FILE).read_text(encoding="utf-8"))

    def decide(self, subject: Subject, action: str, target: Object) -> Decision:
        """What the policies say to this person, this action and this thing."""
        return self._answers([(subject, action, target)])[0]

    def allowed(self, subject: Subject, action: str, targets: Sequence[Object]) -> list[bool]:
        """What the policies say to each of several different things, at once: a list is judged in one call."""
        return [answer.allowed for answer in self._answers([(subject, action, target) for target in targets])]

    def foresee(self, subject: Subject, actions: Iterable[str], target: Object) -> None:
        """Ask about several actions at once, where a page will ask :meth:`decide` about each of them."""
        self._answers([(subject, action, target) for action in actions])

    def authorise(self, subject: Subject, action: str, target: Object) -> None:
        """Raise the policies' own reason where they say no.

        Raises:
            DeniedError: with the policy that decided.
        """
        decision = self.decide(subject, action, target)
        if not decision.allowed:
            raise DeniedError(decision.reason, decision.mend, decision.policy)

    def _answers(self, questions: Sequence[_Question]) -> list[Decision]:
        """What is said to each question; all of them are asked for one person."""
        found = {question: kept for question in questions if (kept := self._said.get(question))}
        if new := [question for question in dict.fromkeys(questions) if question not in found]:
            found |= zip(new, map(self._decision, new, self._judge(new)), strict=True)
            if len(self._said) > MOST_KEPT:
                self._said.clear()
            self._said.update(found)
        return [found[question] for question in questions]

    def _judge(self, questions: Sequence[_Question]) -> list[cedarpy.AuthzResult]:
        requests = [_request(*question) for question in questions]
        things = dict.fromkeys(target for _, _, target in questions)
        entities = [_asking(questions[0][0]), *map(_thing, things)]
        results: list[cedarpy.AuthzResult] = cedarpy.is_authorized_batch(
            requests, self._policies, entities, self._schema
        )
        for result in results:
            if result.diagnostics.errors:
                # Cedar leaves a policy that fails out of account: a forbid among them would silently permit
                raise ConfigError(f"The policies failed: {result.diagnostics.errors}", "Correct policies/hub.")
        return results

    def _decision(self, question: _Question, result: cedarpy.AuthzResult) -> Decision:
        if result.allowed:
            return Decision(True, self._id(result.diagnostics.reasons[0]))
        return self._denial(sorted(result.diagnostics.reasons, key=self._order), question[1])

    def _denial(self, forbids: list[str], action: str) -> Decision:
        if forbids:
            notes = self._known[forbids[0]].annotations
            return Decision(False, notes["id"], notes["reason"], notes.get("mend", ""))
        for policy in self._known.values():
            if policy.effect == "permit" and action in policy.actions and "otherwise" in policy.annotations:
                notes = policy.annotations
                return Decision(False, notes["id"], notes["otherwise"], notes.get("mend", _ASK))
        return Decision(False, "", "No policy permits this.", _ASK)

    def _id(self, name: str) -> str:
        return self._known[name].annotations["id"]

    def _order(self, name: str) -> int:
        return list(self._known).index(name)


@cache
def hub_policies() -> Policies:
    """The policies that come with the hub: inside the installed package, or in the repository beside it."""
    return Policies.read(_INSTALLED if _INSTALLED.is_dir() else _REPOSITORY)


def same_organisation(name: str) -> str:
    """An organisation's name as it is compared: spaces and case do not count."""
    return " ".join(name.casefold().split())


def _policy(body: dict[str, Any]) -> _Policy:
    scope = body["action"]
    entities = scope.get("entities") or ([scope["entity"]] if "entity" in scope else [])
    return _Policy(body["effect"], frozenset(entity["id"] for entity in entities), body.get("annotations", {}))


def _request(subject: Subject, action: str, target: Object) -> dict[str, Any]:
    return {
        "principal": _who(subject),
        "action": {"type": "Action", "id": action},
        "resource": _uid(target),
        "context": {"workspace": subject.workspace},
    }


def _uid(target: Object) -> dict[str, str]:
    if target.emergency:
        return {"type": "Emergency", "id": target.emergency}
    if target.person:
        return {"type": "Records", "id": target.person}
    if target.item:
        return {"type": "Item", "id": target.item}
    return {"type": "Project", "id": target.project} if target.project else {"type": "Hub", "id": "hub"}


def _who(subject: Subject) -> dict[str, str]:
    return {"type": "Person" if subject.scopes is None else "Service", "id": subject.name}


def _asking(subject: Subject) -> dict[str, Any]:
    return _person(subject) if subject.scopes is None else _program(subject)


def _program(subject: Subject) -> dict[str, Any]:
    attributes = {"active": subject.active, "scopes": sorted(subject.scopes or ())}
    return {"uid": _who(subject), "attrs": attributes, "parents": []}


def _person(subject: Subject) -> dict[str, Any]:
    return {
        "uid": _who(subject),
        "attrs": {
            "name": subject.name,
            "active": subject.active,
            "organisation": same_organisation(subject.organisation),
            "roles": sorted(subject.roles),
            "lapsed": sorted(subject.lapsed),
            "emergencies": sorted({project for project, _ in subject.emergencies}),
        },
        "parents": [],
    }


def _thing(target: Object) -> dict[str, Any]:
    if target.emergency:
        return {"uid": _uid(target), "attrs": {"author": target.author}, "parents": []}
    if target.person:
        return {"uid": _uid(target), "attrs": {"person": target.person}, "parents": []}
    if not target.project:
        return {"uid": _uid(target), "attrs": {}, "parents": []}
    if target.item:
        return {"uid": _uid(target), "attrs": _item(target), "parents": []}
    attributes = {
        "project": target.project,
        "owner": target.owner,
        "members": sorted(target.members),
        "organisations": sorted(map(same_organisation, target.organisations)),
        "submitted": target.submitted,
        "reviewers": sorted(target.reviewers),
        "reviewing_organisations": sorted(map(same_organisation, target.reviewing_organisations)),
        "recused": sorted(target.recused),
        "unsigned": sorted(target.unsigned),
    }
    return {"uid": _uid(target), "attrs": attributes, "parents": []}


def _item(target: Object) -> dict[str, Any]:
    return {
        "project": target.project,
        "members": sorted(target.members),
        "organisations": sorted(map(same_organisation, target.organisations)),
        "author": target.author,
        "owner": target.owner,
        "released": target.released,
        "audience": target.audience,
        "guests": sorted(target.guests),
        "inside": target.inside,
        "outside": target.outside,
    }
