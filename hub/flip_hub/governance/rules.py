"""A project's own rules for a job, on top of ``contract.check``: every one that is broken, at once.

Those of :data:`~flip_hub.governance.envelope.OUTSIDE` a reviewer may set aside for one job; the others nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from flip_sdk.contract.api import TrustBudget
from flip_sdk.contract.check import Violation, check
from flip_sdk.contract.concepts import unknown_concepts
from flip_sdk.contract.graph import check_weights, parse_graph
from flip_sdk.contract.inputs import check_model
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec
from flip_sdk.errors import ModelError
from flip_sdk.pricing import epsilon_of, refused
from sqlalchemy.orm import Session

from flip_hub.database import BlobUse, Project
from flip_hub.governance.conditions import open_before_start
from flip_hub.governance.consents import budgets, catalogues, takes_part
from flip_hub.governance.envelope import outside
from flip_hub.governance.office import Office
from flip_hub.governance.sharing import accepts, sharing_violations

Spec = AnySpec


def violations(office: Office, session: Session, project: Project, spec: Spec) -> list[Violation]:
    """Every rule that a job breaks in this project; empty when it may be signed off without anybody deciding."""
    parts = budgets(office.config, session, project)
    return [
        *check(spec),
        *open_before_start(project),
        *_scope(project, spec),
        *outside(project, spec),
        *_trusts(project, spec, parts),
        *_sharing(project, spec, parts),
        *_budget(project, spec, parts),
        *unknown_concepts(spec, (c for catalogue in catalogues(session, project) for c in catalogue.concepts)),
        *_model(office, session, spec),
    ]


def chosen_trusts(office: Office, session: Session, project: Project, spec: Spec) -> list[str]:
    """The Trusts that a job goes to: those asked for (or all of the project's) that opted in to its kind."""
    return [b.trust for b in _asked(project, spec, budgets(office.config, session, project))]


def _asked(project: Project, spec: Spec, parts: list[TrustBudget]) -> list[TrustBudget]:
    return [b for b in _taking_part(project, spec, parts) if accepts(b, spec)]


def _taking_part(project: Project, spec: Spec, parts: list[TrustBudget]) -> list[TrustBudget]:
    return [b for b in parts if takes_part(project, b, spec.kind) and (not spec.trusts or b.trust in spec.trusts)]


def _sharing(project: Project, spec: Spec, parts: list[TrustBudget]) -> Iterator[Violation]:
    willing = _asked(project, spec, parts)
    others = [b.trust for b in _taking_part(project, spec, parts) if b not in willing]
    return sharing_violations(spec, willing, others)


def _scope(project: Project, spec: Spec) -> Iterator[Violation]:
    if spec.project_id != project.project_id:
        yield Violation(
            rule="other_project",
            where="project_id",
            message=f"The job is for {spec.project_id}.",
            mend="Name this one.",
        )


def _trusts(project: Project, spec: Spec, parts: list[TrustBudget]) -> Iterator[Violation]:
    known = {budget.trust: budget for budget in parts}
    for name in spec.trusts:
        if name not in project.application.trusts:
            yield Violation(
                rule="trust_not_in_application",
                where="trusts",
                message=f"{name} is not one of the project's Trusts.",
                mend=f"They are: {', '.join(project.application.trusts)}.",
            )
        elif name not in known or not takes_part(project, known[name], spec.kind):
            yield Violation(
                rule="trust_not_opted_in",
                where="trusts",
                message=f"{name} does not take part: {_why_not(known.get(name), spec.kind)}.",
                mend="Leave it out, or ask its data steward.",
            )
    if not _taking_part(project, spec, parts) and not spec.trusts:
        reasons = "; ".join(f"{name}: {_why_not(known.get(name), spec.kind)}" for name in project.application.trusts)
        yield Violation(
            rule="no_trust",
            where="trusts",
            message=f"No Trust takes part in {spec.kind} jobs of this project ({reasons}).",
            mend="Ask the Trusts' data stewards to opt in; see project.budget().",
        )
    asked = _asked(project, spec, parts)
    if isinstance(spec, TrainSpec) and not spec.trusts and 0 < len(asked) < spec.min_trusts:
        yield Violation(
            rule="too_few_trusts",
            where="min_trusts",
            message=f"{spec.min_trusts} Trusts are needed, {len(asked)} take part.",
            mend="Lower min_trusts, or ask more data stewards to opt in.",
        )


def _why_not(budget: TrustBudget | None, kind: str) -> str:
    if budget is None:
        return "it is not enrolled"
    match budget.consent:
        case "none":
            return "its data steward has not opted in"
        case "paused":
            return "its data steward has paused the project"
        case "left":
            return "its data steward has left the project"
        case "opted_in" if kind not in budget.job_kinds:
            return f"its data steward did not allow {kind} jobs"
        case _:
            return "its opt-in has expired"


def _budget(project: Project, spec: Spec, parts: list[TrustBudget]) -> Iterator[Violation]:
    willing = _asked(project, spec, parts)
    if any(sharing_violations(spec, willing, ())):
        return
    for priced in refused(spec, willing):
        yield Violation(
            rule="budget_too_small",
            where="trusts",
            message=f"The job asks for ε {epsilon_of(spec):g}. {priced.trust} would refuse it: {priced.why_not}.",
            mend=f"Ask for less, name the other Trusts, or ask {priced.trust}'s data steward for more.",
        )


def _model(office: Office, session: Session, spec: Spec) -> Iterator[Violation]:
    if not isinstance(spec, TrainSpec | EvaluateSpec):
        return
    missing = False
    for name, digest in (("graph", spec.model.graph), ("weights", spec.model.weights)):
        if session.get(BlobUse, (spec.project_id, digest)) is None or not office.blobs.has(digest):
            missing = True
            yield Violation(
                rule="blob_missing",
                where=f"model.{name}",
                message=f"The project has no such {name}.",
                mend="Upload it first, in this project.",
            )
    if not missing:
        for problem in _graph_problems(office, spec):
            yield Violation(
                rule="bad_model", where="model", message=problem, mend="Change the model and export it again."
            )


def _graph_problems(office: Office, spec: TrainSpec | EvaluateSpec) -> list[str]:
    try:
        graph = parse_graph(office.blobs.get(spec.model.graph))
        found = check_model(graph, spec)
        return found + check_weights(graph, office.blobs.get(spec.model.weights))
    except ModelError as error:
        return [error.message]
