"""Which jobs may run: by examples, as the rules were before they were data, and by what a hospital forbids besides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from flip_sdk.contract.jobs import TrustModelName
from flip_sdk.contract.tasks import RefusalCode
from flip_trust.config import TrustConfig
from flip_trust.consent import Consent, Terms
from flip_trust.errors import RefusedError, SetupError
from flip_trust.job_rules import OWN_FILE, JobRules, _defaults, _project, _rounded_up, context_of
from flip_trust.policy import Parsed
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.test_admission import admitted, refusal
from tests.trust.world import count_spec, train_spec

EXAMPLES = yaml.safe_load((Path(__file__).parents[2] / "policies" / "examples" / "trust-jobs.yaml").read_text("utf-8"))
CASES = [(one["policy"], kind, case) for one in EXAMPLES for kind in ("allowed", "denied") for case in one[kind]]
KINDS = ("count", "statistics", "train", "evaluate")
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
NO_NIGHTS = """
@id("ours.nights")
@reason("No job begins at night: the machine is needed for reports.")
@mend("Have it sent again between 7 and 20 o'clock.")
forbid (principal, action, resource)
when { (context.hour < 7 || context.hour >= 20) && !context.begun };
"""
NO_NORTHBRIDGE = """
@id("ours.northbridge")
@reason("The hospital has a dispute with Northbridge University.")
forbid (principal, action == Action::"train", resource)
when { principal.organisation == "northbridge university" };
"""
NOTHING = '@id("ours.all") @reason("The hospital is moving.") forbid (principal, action, resource);'


def _project_of(case: dict[str, Any]) -> dict[str, Any]:
    usual = {"standing": "opted_in", "over": False, "kinds": ["count", "train"], "trust_models": ["local"]}
    return {name: case.get(name, value) for name, value in usual.items()} | {"project": "cytology", "organisation": ""}


def _context(kind: str, **changes: Any) -> dict[str, Any]:
    usual = {
        "kind": kind,
        "trust_model": "local",
        "epsilon": {"__extn": {"fn": "decimal", "arg": "1.0"}},
        "researcher": "ada",
        "trusts": 2,
        "images": False,
        "data": ["conditions"],
        "begun": False,
        "signed_off": "automatic",
        "human_sign_off": "never",
        "beyond": False,
        "hour": 9,
        "weekday": 2,
    }
    return usual | changes


@pytest.mark.parametrize(("policy", "kind", "case"), CASES, ids=[f"{case[0]}: {case[2]['words']}" for case in CASES])
def test_an_example_is_what_its_words_say(policy, kind, case) -> None:
    asked = {name: case[name] for name in ("trust_model", "signed_off", "human_sign_off", "beyond") if name in case}
    context = _context(case["action"], **asked)
    verdict = JobRules().judge(_project_of(case), case["action"], context)
    assert (verdict.refusal is None) == (kind == "allowed")
    if kind == "denied":
        assert verdict.policy == case.get("by", policy)
        assert verdict.reason.endswith(".")


def test_every_policy_has_examples_of_both_kinds() -> None:
    known = {one.id for one in Parsed.of(*_defaults(), "here").known}
    assert {example["policy"] for example in EXAMPLES} == known
    assert all(example["allowed"] and example["denied"] for example in EXAMPLES)


def _before(consent: Consent | None, kind: str, now: datetime, trust_model: TrustModelName) -> RefusalCode | None:
    """The rules as they were written before they were data."""
    if consent is None or consent.state == "left":
        return RefusalCode.NOT_OPTED_IN
    if consent.state == "paused":
        return RefusalCode.CONSENT_PAUSED
    if consent.terms.expires_at <= now:
        return RefusalCode.CONSENT_EXPIRED
    if kind not in consent.terms.job_kinds:
        return RefusalCode.JOB_KIND_NOT_ALLOWED
    if trust_model not in consent.terms.trust_models:
        return RefusalCode.TRUST_MODEL_NOT_ALLOWED
    return None


_TERMS = st.builds(
    Terms,
    job_kinds=st.lists(st.sampled_from(KINDS), unique=True).map(tuple),
    epsilon=st.just(1.0),
    delta=st.just(1e-5),
    expires_at=st.integers(-1, 1).map(lambda days: NOW + timedelta(days=days)),
    trust_models=st.sets(st.sampled_from(("local", "distributed"))).map(tuple),
)
_CONSENTS = st.none() | st.builds(
    Consent,
    project_id=st.just("cytology"),
    state=st.sampled_from(("opted_in", "paused", "left")),
    terms=_TERMS,
    decided_by=st.just("sam"),
    decided_at=st.just(NOW),
    announced=st.booleans(),
)
RULES = JobRules()
NARROWER = JobRules(NO_NIGHTS + NO_NORTHBRIDGE)


@given(
    agreed=_CONSENTS,
    kind=st.sampled_from(KINDS),
    trust_model=st.sampled_from(("local", "distributed")),
    organisation=st.sampled_from(("", "northbridge university", "southport university")),
    hour=st.integers(0, 23),
    begun=st.booleans(),
)
def test_the_defaults_are_the_rules_before_and_a_hospitals_own_only_take_away(
    agreed, kind, trust_model, organisation, hour, begun
) -> None:
    project = _project("cytology", agreed, NOW, organisation)
    context = _context(kind, trust_model=trust_model, hour=hour, begun=begun)
    default = RULES.judge(project, kind, context).refusal
    assert default == _before(agreed, kind, NOW, trust_model)
    own = NARROWER.judge(project, kind, context)
    assert own.refusal is not None or default is None
    if default is not None:
        assert own.refusal == default
    is_ours = (not 7 <= hour < 20 and not begun) or (kind == "train" and organisation == "northbridge university")
    assert default is not None or (own.refusal is not None) == is_ours


@pytest.mark.parametrize(
    "text",
    [
        "permit (principal, action, resource);",
        '@id("ours.a") @reason("Yes.") permit (principal, action == Action::"count", resource);',
        NOTHING + "permit (principal, action, resource);",
        '@reason("No.") forbid (principal, action, resource);',
        '@id("ours.a") forbid (principal, action, resource);',
        '@id("jobs.kind") @reason("No.") forbid (principal, action, resource);',
        NOTHING + NOTHING,
        '@id("ours.a") @reason("No.") @refusal("cancelled") forbid (principal, action, resource);',
        '@id("ours.a") @reason("No.") forbid (principal, action == Action::"trian", resource);',
        '@id("ours.a") @reason("No.") forbid (principal, action, resource) when { context.patient == 1 };',
        '@id("ours.a") @reason("No.") forbid (principal == ?principal, action, resource);',
        "no jobs at night, please",
        "\xff",
    ],
)
def test_what_permits_has_no_words_or_does_not_fit_is_refused_at_the_start(trust, text) -> None:
    path = trust.config.home / OWN_FILE
    path.write_text(text, encoding="latin-1")
    with pytest.raises(SetupError) as caught:
        trust.runner()
    assert str(path) in caught.value.message
    assert caught.value.mend


def test_the_guides_own_policies_load_and_forbid() -> None:
    text = (Path(__file__).parents[2] / "docs" / "console.md").read_text("utf-8").split("```cedar\n")[1].split("```")[0]
    rules = JobRules(text)
    assert [one.id for one in rules.own] == ["ours.nights", "ours.no_training", "ours.dispute"]
    breast = _project_of({}) | {"project": "breast-cytology"}
    assert rules.judge(breast, "train", _context("train")).policy == "ours.no_training"
    assert rules.judge(breast, "count", _context("count")).refusal is None
    assert rules.judge(breast, "count", _context("count", hour=22)).policy == "ours.nights"
    assert rules.judge(breast, "count", _context("count", hour=22, begun=True)).refusal is None


def test_a_policy_that_fails_while_it_is_asked_refuses() -> None:
    failing = "when { context.trusts * 9223372036854775807 > 0 }"
    rules = JobRules(f'@id("ours.a") @reason("No.") forbid (principal, action, resource) {failing};')
    verdict = rules.judge(_project_of({}), "count", _context("count"))
    assert verdict.refusal == RefusalCode.JOB_KIND_NOT_ALLOWED


def test_a_hospitals_own_policy_refuses_in_words_here_and_by_a_code_elsewhere(trust) -> None:
    trust.opt_in()
    assert admitted(trust, trust.hub.parts(trust.hub.job(count_spec()), "count"))
    (trust.config.home / OWN_FILE).write_text(NOTHING)
    parts = trust.hub.parts(trust.hub.job(count_spec()), "count")
    assert refusal(trust, parts) == RefusalCode.JOB_KIND_NOT_ALLOWED
    details = trust.events("task.refused")[-1]["details"]
    assert (details["policy"], details["reason"]) == ("ours.all", "The hospital is moving.")
    answer = trust.runner().refusal(RefusalCode.JOB_KIND_NOT_ALLOWED, "task", "job").canonical()
    assert b"moving" not in answer


def test_a_policy_sees_the_job_as_it_is(trust) -> None:
    context = context_of(trust.hub.job(train_spec()), NOW, begun=True)
    here = NOW.astimezone()
    assert (context["kind"], context["hour"], context["weekday"]) == ("train", here.hour, here.isoweekday())
    assert context["epsilon"]["__extn"]["arg"] == "3.0000"
    assert context["begun"]


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5000"), (2.00001, "2.0001"), (10, "10.0000"), (1e-9, "0.0001")])
def test_epsilon_is_rounded_up(value, text) -> None:
    assert _rounded_up(value) == text


def test_a_trust_without_a_file_has_the_defaults(trust) -> None:
    assert isinstance(trust.config, TrustConfig)
    assert JobRules.of(trust.config).own == ()
    with pytest.raises(RefusedError):
        JobRules.of(trust.config).require(trust.database, trust.hub.job(count_spec()), NOW, begun=False)
