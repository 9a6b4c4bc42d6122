"""Who may, by examples that people can read: every policy decides in them, every action is allowed and denied."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flip_hub.errors import ConfigError, DeniedError
from flip_hub.policy import Object, Policies, Subject, hub_policies

ROOT = Path(__file__).parents[2]
EXAMPLES = yaml.safe_load((ROOT / "policies" / "examples" / "hub.yaml").read_text("utf-8"))
ALLOWED, DENIED = "allowed", "denied"
CASES = [
    (example["policy"], kind, case)
    for example in EXAMPLES["policies"]
    for kind in (ALLOWED, DENIED)
    for case in example[kind]
]


def _subject(who: str) -> Subject:
    said = {"name": who} | EXAMPLES["people"][who]
    said["emergencies"] = [tuple(pair) for pair in said.get("emergencies", ())]
    return Subject(**{name: frozenset(value) if isinstance(value, list) else value for name, value in said.items()})


def _object(what: str) -> Object:
    said: dict[str, Any] = EXAMPLES["things"][what]
    return Object(**{name: frozenset(value) if isinstance(value, list) else value for name, value in said.items()})


@pytest.mark.parametrize(("policy", "kind", "case"), CASES, ids=[f"{case[0]}: {case[2]['words']}" for case in CASES])
def test_an_example_is_what_its_words_say(policy: str, kind: str, case: dict[str, str]) -> None:
    decision = hub_policies().decide(_subject(case["who"]), case["action"], _object(case["what"]))
    assert (ALLOWED if decision.allowed else DENIED, decision.policy) == (kind, case.get("by", policy))
    assert decision.allowed or (decision.reason and decision.mend)


def test_every_policy_has_examples_of_both_kinds_and_decides_in_one() -> None:
    for effect, decides in (("permit", ALLOWED), ("forbid", DENIED)):
        named = {p.annotations["id"] for p in hub_policies()._known.values() if p.effect == effect}
        assert named == {
            policy for policy, kind, case in CASES if kind == decides and policy in named and not case.get("by")
        }
    assert {e["policy"] for e in EXAMPLES["policies"]} == {p.annotations["id"] for p in hub_policies()._known.values()}
    assert all(example[ALLOWED] and example[DENIED] for example in EXAMPLES["policies"])


def test_every_action_is_allowed_and_denied_in_an_example() -> None:
    actions = {action for policy in hub_policies()._known.values() for action in policy.actions}
    for kind in (ALLOWED, DENIED):
        assert actions == {case["action"] for _, found, case in CASES if found == kind}


def test_every_person_and_thing_of_the_examples_is_in_one() -> None:
    assert set(EXAMPLES["people"]) == {case["who"] for _, _, case in CASES}
    assert set(EXAMPLES["things"]) == {case["what"] for _, _, case in CASES}


def test_every_policy_has_words() -> None:
    for policy in hub_policies()._known.values():
        assert "id" in policy.annotations
        assert policy.effect == "permit" or policy.annotations["reason"]


def test_authorise_raises_the_policys_own_words() -> None:
    with pytest.raises(DeniedError) as caught:
        hub_policies().authorise(_subject("nora"), "review_project", _object("the project"))
    assert caught.value.policy == "projects.review_own_organisation"
    assert caught.value.message
    assert caught.value.mend


def test_policies_that_do_not_fit_the_schema_do_not_load() -> None:
    schema = (ROOT / "policies" / "hub" / "schema.cedarschema").read_text()
    with pytest.raises(ConfigError):
        Policies('permit (principal, action == Action::"fly", resource);', schema)
    with pytest.raises(ConfigError):
        Policies("this is not Cedar", schema)


def test_every_action_of_the_schema_has_a_policy_and_is_asked_for() -> None:
    schema = (ROOT / "policies" / "hub" / "schema.cedarschema").read_text()
    found = re.findall(r"^action ([\w,\s]+?)\s+appliesTo", schema, re.MULTILINE)
    named = {name.strip() for names in found for name in names.split(",")}
    assert named == {action for policy in hub_policies()._known.values() for action in policy.actions}
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "hub" / "flip_hub").rglob("*.py"))
    assert named == {name for name in named if f'"{name}"' in code}
