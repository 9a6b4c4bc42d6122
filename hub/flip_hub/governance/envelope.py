"""What reviewers approved, as an envelope for jobs: inside of it sign-off is automatic, else a person decides.

A person may set aside what the *application* says, for one job. Nobody at the hub may set aside what a Trust's consent
says, the law's limits (an end, a suspension, an open condition) or a rule of the contract: those stay violations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from flip_sdk.contract.applications import SignOffRule
from flip_sdk.contract.check import Violation
from flip_sdk.contract.concepts import domains_of
from flip_sdk.contract.jobs import AnySpec, TrainSpec
from flip_sdk.pricing import epsilon_of
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Job, Project

OUTSIDE = frozenset(
    {"job_kind_not_in_application", "epsilon_over_project", "delta_over_project", "data_not_in_application"}
)
"""Rules that a reviewer may set aside for one job."""
RULES: tuple[SignOffRule, ...] = get_args(SignOffRule)
RULE_WORDS: dict[SignOffRule, str] = {
    "outside": "Only jobs outside of the approved application",
    "first_of_kind": "The first job of each kind, and those outside of the application",
    "every": "Every job",
}
_DECIDED = "Ask for less; sent without other faults, a reviewer decides on it."


def outside(project: Project, spec: AnySpec) -> Iterator[Violation]:
    """Everything in which a job goes beyond the approved application."""
    application = project.application
    field = "privacy." if isinstance(spec, TrainSpec) else ""
    if spec.kind not in application.job_kinds:
        kinds = ", ".join(application.job_kinds)
        yield _violation("job_kind_not_in_application", "kind", f"The project was approved for: {kinds}.")
    if epsilon_of(spec) > application.epsilon:
        told = f"Epsilon {epsilon_of(spec):g} is over the project's {application.epsilon:g}."
        yield _violation("epsilon_over_project", f"{field}epsilon", told)
    if delta_of(spec) > application.delta:
        told = f"Delta {delta_of(spec):g} is over the project's {application.delta:g}."
        yield _violation("delta_over_project", f"{field}delta", told)
    yield from _data(project, spec)


def reasons(session: Session, project: Project, spec: AnySpec) -> list[Violation]:
    """Why a person has to decide on a job; empty where its sign-off is automatic."""
    rule = rule_of(project)
    found = list(outside(project, spec))
    if rule == "every":
        found.append(_violation("every_job", "kind", "The reviewers decided that a person decides on every job."))
    if rule == "first_of_kind" and not _signed_before(session, project, spec.kind):
        told = f"The reviewers decided that a person decides on the first {spec.kind} job."
        found.append(_violation("first_of_kind", "kind", told))
    return found


def rule_of(project: Project) -> SignOffRule:
    """Which jobs a person decides on: the strictest that a reviewer of the approved submission asked for."""
    asked = [r.sign_off for r in project.reviews if r.version == project.version and r.decision == "approve"]
    return RULES[max((RULES.index(rule) for rule in RULES if rule in asked), default=0)]


def hard(found: Iterable[Violation]) -> list[Violation]:
    """Those of some violations that nobody at the hub may set aside."""
    return [violation for violation in found if violation.rule not in OUTSIDE]


def delta_of(spec: AnySpec) -> float:
    """The chance outside of what it costs; 0 for counts, evaluations and tables."""
    return spec.privacy.delta if isinstance(spec, TrainSpec) else getattr(spec, "delta", 0.0)


def _data(project: Project, spec: AnySpec) -> Iterator[Violation]:
    """Kinds of data that were not asked of a Trust; an application that names none does not restrict them."""
    used = domains_of(spec)
    for asked in project.application.data:
        further = sorted(used - set(asked.domains)) if asked.domains else []
        if further and (not spec.trusts or asked.trust in spec.trusts):
            told = f"{asked.trust} was not asked for {', '.join(further)}, but for {', '.join(sorted(asked.domains))}."
            yield _violation("data_not_in_application", "features", told)


def _signed_before(session: Session, project: Project, kind: str) -> bool:
    chosen = select(Job.job_id).where(Job.project_id == project.project_id, Job.kind == kind, Job.signed_job != "")
    return session.scalars(chosen.limit(1)).first() is not None


def _violation(rule: str, where: str, message: str) -> Violation:
    return Violation(rule=rule, where=where, message=message, mend=_DECIDED)
