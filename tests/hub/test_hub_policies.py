"""Who may, as a table: every policy decides in it, and every action is allowed to some and denied to others."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flip_hub.errors import ConfigError, DeniedError
from flip_hub.policy import Object, Policies, Subject, hub_policies

_PROJECT = Object(
    project="cytology",
    owner="ada",
    members=frozenset({"ada", "alan"}),
    organisations=frozenset({"Northbridge University"}),
    submitted=True,
)
_DRAFT = Object("cytology", "ada", frozenset({"ada"}), frozenset({"Northbridge University"}))
_REVIEWED = Object(
    "cytology",
    "ada",
    frozenset({"ada"}),
    frozenset({"Northbridge University"}),
    submitted=True,
    reviewers=frozenset({"rufus"}),
    reviewing_organisations=frozenset({"Health Data Board"}),
)
_RECUSED = Object(
    "cytology",
    "ada",
    frozenset({"ada"}),
    frozenset({"Northbridge University"}),
    submitted=True,
    recused=frozenset({"rufus"}),
)
_UNSIGNED = Object("cytology", "ada", frozenset({"ada"}), submitted=True, unsigned=frozenset({"ada"}))
_HUB = Object()
_ITEM = Object(
    "cytology",
    members=frozenset({"ada", "alan"}),
    organisations=frozenset({"Northbridge University"}),
    item="x1",
    author="ada",
)
_RELEASED = replace(_ITEM, released=True)
_PUBLIC = replace(_ITEM, released=True, public=True)
_INSIDE = replace(_ITEM, inside=True)
_ADAS = Object(person="ada")
_RUFUSES = Object(person="rufus")
_OUTSIDE = replace(_ITEM, outside=True)


def _subject(name: str, organisation: str, *roles: str, active: bool = True, workspace: str = "") -> Subject:
    return Subject(name, organisation, frozenset(roles), active, workspace)


_ADA = _subject("ada", "Northbridge University", "researcher")
_ADA_AT_WORK = _subject("ada", "Northbridge University", "researcher", workspace="cytology")
_ADA_ELSEWHERE = _subject("ada", "Northbridge University", "researcher", workspace="other")
_ADA_LEFT = _subject("ada", "Northbridge University", "researcher", active=False)
_ALAN_NO_ROLE = _subject("alan", "Northbridge University")
_BEA = _subject("bea", "Southport University", "researcher")
_NORA = _subject("nora", " northbridge  UNIVERSITY", "governance reviewer")
_RUFUS = _subject("rufus", "Health Data Board", "governance reviewer")
_ROSE = _subject("rose", "health data board", "governance reviewer")
_MINA = _subject("mina", "Patient Council", "governance reviewer")
_ADA_REVIEWS = _subject("ada", "Elsewhere", "researcher", "governance reviewer")
_OLGA = _subject("olga", "FLIP Operations", "operator")
_ADA_OPERATES = _subject("ada", "Northbridge University", "operator")
_SAM = _subject("sam", "Aldgate Hospital", "data steward")
_CORA = _subject("cora", "Health Data Board", "output checker")
_CORA_AT_WORK = _subject("cora", "Health Data Board", "output checker", workspace="cytology")
_NINA = _subject("nina", "northbridge university", "output checker")
_ADA_CHECKS = _subject("ada", "Elsewhere", "researcher", "output checker")
_ALAN_CHECKS = _subject("alan", "Elsewhere", "researcher", "output checker")
_ADA_LAPSED = replace(_ADA, lapsed=frozenset({"researcher"}))
_RUFUS_LAPSED = replace(_RUFUS, lapsed=frozenset({"governance reviewer"}))
_CORA_LAPSED = replace(_CORA, lapsed=frozenset({"output checker"}))
_SAM_LAPSED = replace(_SAM, lapsed=frozenset({"data steward"}))
_NOBODY = _subject("", "")
_WATCHER = Subject("service/watcher", "", frozenset(), scopes=frozenset({"monitoring:read"}))
_COLLECTOR = Subject("service/collector", "", frozenset(), scopes=frozenset({"audit:read"}))

ALLOWED = "allowed"
DENIED = "denied"
TABLE = [
    # who, action, what, decision, the policy that decides
    (_ADA, "apply", _HUB, ALLOWED, "projects.apply"),
    (_SAM, "apply", _HUB, DENIED, "projects.apply"),
    (_ADA_LEFT, "apply", _HUB, DENIED, "people.inactive"),
    (_ADA_AT_WORK, "apply", _HUB, DENIED, "people.workspace_governance"),
    (_RUFUS, "view_audit", _HUB, ALLOWED, "people.view_audit"),
    (_OLGA, "view_audit", _HUB, ALLOWED, "people.view_audit"),
    (_ADA, "view_audit", _PROJECT, ALLOWED, "people.view_own_audit"),
    (_ADA, "view_audit", _HUB, DENIED, "people.view_audit"),
    (_BEA, "view_audit", _PROJECT, DENIED, "people.view_audit"),
    (_CORA, "view_audit", _HUB, DENIED, "people.view_audit"),
    (_ADA_AT_WORK, "view_audit", _PROJECT, DENIED, "people.workspace_governance"),
    (_WATCHER, "monitor", _HUB, ALLOWED, "services.monitor"),
    (_OLGA, "monitor", _HUB, ALLOWED, "services.monitor_by_people"),
    (_COLLECTOR, "monitor", _HUB, DENIED, "services.monitor"),
    (_RUFUS, "monitor", _HUB, DENIED, "services.monitor"),
    (_COLLECTOR, "follow_audit", _HUB, ALLOWED, "services.follow_audit"),
    (_RUFUS, "follow_audit", _HUB, ALLOWED, "services.follow_audit_by_people"),
    (_WATCHER, "follow_audit", _HUB, DENIED, "services.follow_audit"),
    (_ADA, "follow_audit", _HUB, DENIED, "services.follow_audit"),
    (_ADA, "browse_catalogue", _HUB, ALLOWED, "data.browse_catalogue"),
    (_SAM, "browse_catalogue", _HUB, ALLOWED, "data.browse_catalogue"),
    (_ALAN_NO_ROLE, "browse_catalogue", _HUB, DENIED, "data.browse_catalogue"),
    (_ADA_LEFT, "browse_catalogue", _HUB, DENIED, "people.inactive"),
    (_ADA, "view_project", _DRAFT, ALLOWED, "projects.view_own"),
    (_ADA_AT_WORK, "view_project", _PROJECT, ALLOWED, "projects.view_own"),
    (_ADA_ELSEWHERE, "view_project", _PROJECT, DENIED, "people.workspace_confined"),
    (_BEA, "view_project", _PROJECT, DENIED, "projects.view_own"),
    (_RUFUS, "view_project", _PROJECT, ALLOWED, "projects.view_to_decide"),
    (_OLGA, "view_project", _PROJECT, ALLOWED, "projects.view_to_decide"),
    (_RUFUS, "view_project", _DRAFT, DENIED, "projects.view_own"),
    (_ADA, "edit_project", _DRAFT, ALLOWED, "projects.edit"),
    (_BEA, "edit_project", _PROJECT, DENIED, "projects.edit"),
    (_ADA_AT_WORK, "edit_project", _PROJECT, DENIED, "people.workspace_governance"),
    (_ADA, "submit_project", _DRAFT, ALLOWED, "projects.submit"),
    (_subject("ada", "Northbridge University"), "submit_project", _DRAFT, DENIED, "projects.submit"),
    (_RUFUS, "review_project", _PROJECT, ALLOWED, "projects.review"),
    (_MINA, "review_project", _REVIEWED, ALLOWED, "projects.review"),
    (_BEA, "review_project", _PROJECT, DENIED, "projects.review"),
    (_ADA_REVIEWS, "review_project", _PROJECT, DENIED, "projects.review_own"),
    (_NORA, "review_project", _PROJECT, DENIED, "projects.review_own_organisation"),
    (_RUFUS, "review_project", _REVIEWED, DENIED, "projects.review_twice"),
    (_ROSE, "review_project", _REVIEWED, DENIED, "projects.review_same_organisation"),
    (_RUFUS, "review_project", _RECUSED, DENIED, "projects.review_recused"),
    (_RUFUS, "confirm_condition", _RECUSED, DENIED, "projects.review_recused"),
    (_RUFUS, "comment_project", _PROJECT, ALLOWED, "projects.comment"),
    (_ADA, "comment_project", _PROJECT, ALLOWED, "projects.comment"),
    (_ADA, "comment_project", _DRAFT, DENIED, "projects.comment"),
    (_BEA, "comment_project", _PROJECT, DENIED, "projects.comment"),
    (_RUFUS, "confirm_condition", _REVIEWED, ALLOWED, "projects.confirm_condition"),
    (_OLGA, "confirm_condition", _PROJECT, DENIED, "projects.confirm_condition"),
    (_NORA, "confirm_condition", _PROJECT, DENIED, "projects.confirm_own_condition"),
    (_ADA, "sign_agreement", _PROJECT, ALLOWED, "people.sign_agreement"),
    (_RUFUS, "sign_agreement", _PROJECT, DENIED, "people.sign_agreement"),
    (_ADA_AT_WORK, "sign_agreement", _PROJECT, DENIED, "people.workspace_governance"),
    (_ADA, "submit_job", _UNSIGNED, DENIED, "people.unsigned"),
    (_ADA, "open_workspace", _UNSIGNED, DENIED, "people.unsigned"),
    (_ADA_LAPSED, "submit_job", _PROJECT, DENIED, "people.lapsed_researcher"),
    (_ADA_LAPSED, "open_workspace", _PROJECT, DENIED, "people.lapsed_researcher"),
    (_ADA_LAPSED, "request_release", _PROJECT, DENIED, "people.lapsed_researcher"),
    (_ADA_LAPSED, "apply", _HUB, ALLOWED, "projects.apply"),
    (_ADA_LAPSED, "view_project", _PROJECT, ALLOWED, "projects.view_own"),
    (_RUFUS_LAPSED, "review_project", _PROJECT, DENIED, "people.lapsed_reviewer"),
    (_RUFUS_LAPSED, "view_project", _PROJECT, ALLOWED, "projects.view_to_decide"),
    (_CORA_LAPSED, "check_outputs", _HUB, DENIED, "people.lapsed_checker"),
    (_CORA_LAPSED, "review_release", _ITEM, DENIED, "people.lapsed_checker"),
    (_CORA_LAPSED, "revoke_release", _ITEM, ALLOWED, "outputs.revoke"),
    (_SAM_LAPSED, "review_ingress", _ITEM, DENIED, "people.lapsed_steward"),
    (_ADA, "submit_record", _ADAS, ALLOWED, "people.submit_record"),
    (_ADA_LAPSED, "submit_record", _ADAS, ALLOWED, "people.submit_record"),
    (_OLGA, "submit_record", _ADAS, DENIED, "people.submit_record"),
    (_ADA, "view_records", _ADAS, ALLOWED, "people.view_own_records"),
    (_RUFUS, "view_records", _ADAS, ALLOWED, "people.view_records"),
    (_BEA, "view_records", _ADAS, DENIED, "people.view_own_records"),
    (_ADA_AT_WORK, "view_records", _ADAS, DENIED, "people.workspace_governance"),
    (_OLGA, "view_people", _HUB, ALLOWED, "people.view_people"),
    (_ADA, "view_people", _HUB, DENIED, "people.view_people"),
    (_OLGA, "verify_record", _ADAS, ALLOWED, "people.verify_record"),
    (_ADA, "verify_record", _RUFUSES, DENIED, "people.verify_record"),
    (_RUFUS, "verify_record", _RUFUSES, DENIED, "people.verify_own_record"),
    (_OLGA, "change_project_state", _PROJECT, ALLOWED, "projects.change_state"),
    (_RUFUS, "change_project_state", _PROJECT, DENIED, "projects.change_state"),
    (_ADA_OPERATES, "change_project_state", _PROJECT, DENIED, "projects.change_own_state"),
    (_ADA_AT_WORK, "submit_job", _PROJECT, ALLOWED, "data.submit_job"),
    (_ADA_ELSEWHERE, "submit_job", _PROJECT, DENIED, "people.workspace_confined"),
    (_ALAN_NO_ROLE, "submit_job", _PROJECT, DENIED, "data.submit_job"),
    (_RUFUS, "submit_job", _PROJECT, DENIED, "data.submit_job"),
    (_ADA, "upload", _PROJECT, ALLOWED, "data.submit_job"),
    (_BEA, "upload", _PROJECT, DENIED, "data.submit_job"),
    (_ALAN_NO_ROLE, "download", _PROJECT, ALLOWED, "data.download"),
    (_OLGA, "download", _PROJECT, DENIED, "data.download"),
    (_ADA, "view_result", _PROJECT, ALLOWED, "data.download"),
    (_RUFUS, "view_result", _PROJECT, DENIED, "data.download"),
    (_ADA, "view_jobs", _PROJECT, ALLOWED, "data.view_jobs"),
    (_RUFUS, "view_jobs", _PROJECT, ALLOWED, "data.oversee_jobs"),
    (_BEA, "view_jobs", _PROJECT, DENIED, "data.view_jobs"),
    (_OLGA, "cancel_job", _PROJECT, ALLOWED, "data.cancel_job"),
    (_RUFUS, "cancel_job", _PROJECT, DENIED, "data.cancel_job"),
    (_ADA, "open_workspace", _PROJECT, ALLOWED, "settings.open_workspace"),
    (_OLGA, "open_workspace", _PROJECT, DENIED, "settings.open_workspace"),
    (_ADA, "publish_dashboard", _PROJECT, ALLOWED, "outputs.publish"),
    (_ALAN_NO_ROLE, "publish_dashboard", _PROJECT, DENIED, "outputs.publish"),
    (_ALAN_NO_ROLE, "view_dashboard", _PROJECT, ALLOWED, "outputs.view_dashboard"),
    (_RUFUS, "view_dashboard", _PROJECT, DENIED, "outputs.view_dashboard"),
    (_ADA_AT_WORK, "request_release", _PROJECT, ALLOWED, "outputs.request"),
    (_ADA_ELSEWHERE, "request_release", _PROJECT, DENIED, "people.workspace_confined"),
    (_ALAN_NO_ROLE, "request_release", _PROJECT, DENIED, "outputs.request"),
    (_CORA, "request_release", _PROJECT, DENIED, "outputs.request"),
    (_ALAN_NO_ROLE, "list_releases", _PROJECT, ALLOWED, "outputs.list"),
    (_CORA, "list_releases", _PROJECT, ALLOWED, "outputs.list_to_oversee"),
    (_BEA, "list_releases", _PROJECT, DENIED, "outputs.list"),
    (_ADA, "view_release", _ITEM, ALLOWED, "outputs.view"),
    (_CORA, "view_release", _ITEM, ALLOWED, "outputs.view_to_check"),
    (_RUFUS, "view_release", _ITEM, DENIED, "outputs.view"),
    (_NINA, "view_release", _ITEM, DENIED, "outputs.see_own_organisation"),
    (_ADA, "withdraw_release", _ITEM, ALLOWED, "outputs.withdraw"),
    (_CORA, "withdraw_release", _ITEM, DENIED, "outputs.withdraw"),
    (_CORA, "check_outputs", _HUB, ALLOWED, "outputs.check"),
    (_ADA, "check_outputs", _HUB, DENIED, "outputs.check"),
    (_CORA_AT_WORK, "check_outputs", _HUB, DENIED, "people.workspace_governance"),
    (_CORA, "review_release", _ITEM, ALLOWED, "outputs.review"),
    (_OLGA, "review_release", _ITEM, DENIED, "outputs.review"),
    (_CORA_AT_WORK, "review_release", _ITEM, DENIED, "people.workspace_governance"),
    (_ADA_CHECKS, "review_release", _ITEM, DENIED, "outputs.check_own"),
    (_ALAN_CHECKS, "review_release", _ITEM, DENIED, "outputs.check_own_project"),
    (_NINA, "review_release", _ITEM, DENIED, "outputs.check_own_organisation"),
    (_CORA, "revoke_release", _ITEM, ALLOWED, "outputs.revoke"),
    (_OLGA, "revoke_release", _ITEM, ALLOWED, "outputs.revoke"),
    (_SAM, "revoke_release", _ITEM, DENIED, "outputs.revoke"),
    (_ALAN_NO_ROLE, "download_release", _RELEASED, ALLOWED, "outputs.download"),
    (_CORA, "download_release", _RELEASED, DENIED, "outputs.download"),
    (_NOBODY, "download_release", _PUBLIC, ALLOWED, "outputs.download_public"),
    (_NOBODY, "download_release", _RELEASED, DENIED, "outputs.download"),
    (_ADA, "download_release", _ITEM, DENIED, "outputs.not_released"),
    (_NOBODY, "view_released_dashboard", _PUBLIC, ALLOWED, "outputs.view_released_dashboard"),
    (_NOBODY, "view_released_dashboard", _RELEASED, DENIED, "outputs.view_released_dashboard"),
    (_ADA, "read_blob", _OUTSIDE, ALLOWED, "outputs.read_blob"),
    (_ADA_AT_WORK, "read_blob", _INSIDE, ALLOWED, "outputs.read_blob"),
    (_BEA, "read_blob", _OUTSIDE, DENIED, "outputs.read_blob"),
    (_ADA, "read_blob", _INSIDE, DENIED, "outputs.one_door_out"),
    (_ADA_AT_WORK, "read_blob", _OUTSIDE, DENIED, "outputs.one_door_in"),
    (_ALAN_NO_ROLE, "request_ingress", _PROJECT, ALLOWED, "outputs.request_ingress"),
    (_CORA, "request_ingress", _PROJECT, DENIED, "outputs.request_ingress"),
    (_ADA, "view_ingress", _ITEM, ALLOWED, "outputs.view_ingress"),
    (_SAM, "view_ingress", _ITEM, ALLOWED, "outputs.view_ingress_to_check"),
    (_BEA, "view_ingress", _ITEM, DENIED, "outputs.view_ingress"),
    (_ADA, "withdraw_ingress", _ITEM, ALLOWED, "outputs.withdraw_ingress"),
    (_ALAN_NO_ROLE, "withdraw_ingress", _ITEM, DENIED, "outputs.withdraw_ingress"),
    (_SAM, "review_ingress", _ITEM, ALLOWED, "outputs.review_ingress"),
    (_OLGA, "review_ingress", _ITEM, DENIED, "outputs.review_ingress"),
    (_ADA_CHECKS, "review_ingress", _ITEM, DENIED, "outputs.check_own"),
]


@pytest.mark.parametrize(("subject", "action", "target", "expected", "policy"), TABLE)
def test_table(subject: Subject, action: str, target: Object, expected: str, policy: str) -> None:
    decision = hub_policies().decide(subject, action, target)
    assert (ALLOWED if decision.allowed else DENIED, decision.policy) == (expected, policy)
    assert decision.allowed or decision.reason


def test_every_policy_decides_in_the_table() -> None:
    policies = hub_policies()._known.values()
    for effect, expected in (("permit", ALLOWED), ("forbid", DENIED)):
        named = {policy.annotations["id"] for policy in policies if policy.effect == effect}
        assert named <= {row[4] for row in TABLE if row[3] == expected}


def test_every_action_is_allowed_and_denied_in_the_table() -> None:
    actions = {action for policy in hub_policies()._known.values() for action in policy.actions}
    for expected in (ALLOWED, DENIED):
        assert actions == {row[1] for row in TABLE if row[3] == expected}


def test_every_policy_has_words() -> None:
    for policy in hub_policies()._known.values():
        assert "id" in policy.annotations
        assert policy.effect == "permit" or policy.annotations["reason"]


def test_authorise_raises_the_policys_own_words() -> None:
    with pytest.raises(DeniedError) as caught:
        hub_policies().authorise(_NORA, "review_project", _PROJECT)
    assert caught.value.policy == "projects.review_own_organisation"
    assert caught.value.message
    assert caught.value.mend


def test_policies_that_do_not_fit_the_schema_do_not_load() -> None:
    schema = (Path(__file__).parents[2] / "policies" / "hub" / "schema.cedarschema").read_text()
    with pytest.raises(ConfigError):
        Policies('permit (principal, action == Action::"fly", resource);', schema)
    with pytest.raises(ConfigError):
        Policies("this is not Cedar", schema)


def test_every_action_of_the_schema_has_a_policy_and_is_asked_for() -> None:
    root = Path(__file__).parents[2]
    schema = (root / "policies" / "hub" / "schema.cedarschema").read_text()
    found = re.findall(r"^action ([\w,\s]+?)\s+appliesTo", schema, re.MULTILINE)
    named = {name.strip() for names in found for name in names.split(",")}
    assert named == {action for policy in hub_policies()._known.values() for action in policy.actions}
    code = "\n".join(path.read_text("utf-8") for path in (root / "hub" / "flip_hub").rglob("*.py"))
    assert named == {name for name in named if f'"{name}"' in code}
