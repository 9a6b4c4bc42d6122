"""Each policy of the Trust's console, by the examples that stand beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from flip_trust.errors import DeniedError, SetupError
from flip_trust.policy import ROLES, Person, Policies, trust_policies

FOLDER = Path(__file__).parents[2] / "policies" / "trust"
EXAMPLES = yaml.safe_load((FOLDER.parent / "examples" / "trust.yaml").read_text("utf-8"))
CASES = [
    (example["policy"], kind, case) for example in EXAMPLES for kind in ("allowed", "denied") for case in example[kind]
]
SCHEMA = (FOLDER / "schema.cedarschema").read_text("utf-8")


@pytest.mark.parametrize(("policy", "kind", "case"), CASES, ids=[case["words"] for _, _, case in CASES])
def test_an_example_is_what_its_words_say(policy, kind, case) -> None:
    person = Person("sam", case["role"], case.get("active", True))
    decision = trust_policies().decide(person, case["action"])
    assert decision.allowed == (kind == "allowed")
    if kind == "denied":
        assert decision.policy == policy
        assert decision.reason.endswith(".")


def test_every_policy_has_examples_of_both_kinds() -> None:
    assert {example["policy"] for example in EXAMPLES} == trust_policies().ids
    assert all(example["allowed"] and example["denied"] for example in EXAMPLES)


@pytest.mark.parametrize("role", ROLES)
def test_whoever_has_left_may_do_nothing(role) -> None:
    with pytest.raises(DeniedError) as denied:
        trust_policies().authorise(Person("sam", role, active=False), "view_overview")
    assert denied.value.policy == "trust.people.closed"


@pytest.mark.parametrize(
    "text", ["permit (principal, action, resource", "permit (principal in Nobody, action, resource);"]
)
def test_policies_that_do_not_fit_are_refused(text) -> None:
    with pytest.raises(SetupError):
        Policies(text, SCHEMA)


def test_a_folder_without_policies_is_refused(tmp_path) -> None:
    with pytest.raises(SetupError):
        Policies.read(tmp_path)
