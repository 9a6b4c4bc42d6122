"""Two reviewers of different organisations decide on an application."""

from __future__ import annotations

from flip_sdk.contract.api import ProjectView
from flip_sdk.contract.applications import Decided, NewCondition, Review
from flip_sdk.contract.states import ProjectState
from sqlalchemy.orm import Session

from flip_hub.database import Condition, Entry, Project, also, now
from flip_hub.database import Review as ReviewRow
from flip_hub.errors import InvalidError, NotNowError
from flip_hub.governance.access import object_of, permit
from flip_hub.governance.office import Office
from flip_hub.governance.projects import view
from flip_hub.governance.when import check_when, move
from flip_hub.policy import Subject

APPROVALS_NEEDED = 2


def review(office: Office, subject: Subject, project_id: str, decision: Review) -> ProjectView:
    """Record one reviewer's decision, and what follows from it. One who names a conflict of interest steps aside.

    Raises:
        InvalidError: it is not declared whether there is a conflict, or which.
        DeniedError: not a reviewer, or one with a conflict of interest: the policy says which.
        NotNowError: the application does not wait for reviews.
    """
    recused = decision.declares == "conflict"
    kept: Decided = "recused" if recused else decision.decision
    entry = Entry(subject.name, "project.recused" if recused else "project.reviewed", f"project/{project_id}")
    entry.details.update(decision=kept, declared=decision.conflict if recused else "none")
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "review_project", project_id)
        _check(decision)
        if project.state == ProjectState.SUBMITTED and not recused:
            also(session, move(project, ProjectState.IN_REVIEW, subject.name))
        project.reviews.append(_row(subject, project, kept, decision))
        if kept == "approve":
            project.conditions += [_condition(subject, project, wanted) for wanted in decision.conditions]
        session.flush()
        entry.details.update(version=project.version, comment=decision.comment)
        if kept == "approve" and decision.sign_off != "outside":
            entry.details.update(sign_off=decision.sign_off)
        if kept == "approve" and decision.conditions:
            entry.details.update(conditions=[wanted.model_dump(mode="json") for wanted in decision.conditions])
        target = None if recused else _outcome(project, decision)
        if target is not None:
            also(session, move(project, target, subject.name))
        return view(project)


def _check(decision: Review) -> None:
    if decision.declares is None:
        raise InvalidError(
            "You have not said whether you have a conflict of interest.", "Declare that you have none, or name it."
        )
    if decision.declares == "conflict" and not decision.conflict.strip():
        raise InvalidError("You have not named your conflict of interest.", "Say in a few words what it is.")


def _row(subject: Subject, project: Project, kept: Decided, decision: Review) -> ReviewRow:
    return ReviewRow(
        version=project.version,
        reviewer=subject.name,
        organisation=subject.organisation,
        decision=kept,
        comment=decision.comment,
        declared=decision.conflict.strip() if kept == "recused" else "none",
        decided_at=now(),
        sign_off=decision.sign_off if kept == "approve" else "outside",
    )


def _condition(subject: Subject, project: Project, wanted: NewCondition) -> Condition:
    return Condition(
        version=project.version,
        text=wanted.text,
        due_on=wanted.due_on,
        before_start=wanted.before_start,
        set_by=subject.name,
        set_at=now(),
    )


def refusal(office: Office, session: Session, subject: Subject, project: Project) -> str:
    """Why this person may not decide on this project now; empty when they may."""
    decision = office.policies.decide(subject, "review_project", object_of(session, project))
    if not decision.allowed:
        return f"{decision.reason} {decision.mend}".strip()
    try:
        check_when("review_project", project)
    except NotNowError as error:
        return error.message
    return ""


def _outcome(project: Project, decision: Review) -> ProjectState | None:
    match decision.decision:
        case "reject":
            return ProjectState.REJECTED
        case "request_changes":
            return ProjectState.CHANGES_REQUESTED
        case "approve":
            approvals = [r for r in project.reviews if r.version == project.version and r.decision == "approve"]
            return ProjectState.APPROVED if len(approvals) >= APPROVALS_NEEDED else None
