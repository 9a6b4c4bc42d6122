"""Two reviewers of different organisations decide on an application."""

from __future__ import annotations

from flip_sdk.contract.api import ProjectView, Review
from flip_sdk.contract.states import ProjectState
from sqlalchemy.orm import Session

from flip_hub.database import Entry, Project, also, now
from flip_hub.database import Review as ReviewRow
from flip_hub.errors import NotNowError
from flip_hub.governance.access import object_of, permit
from flip_hub.governance.office import Office
from flip_hub.governance.projects import view
from flip_hub.governance.when import check_when, move
from flip_hub.policy import Subject

APPROVALS_NEEDED = 2


def review(office: Office, subject: Subject, project_id: str, decision: Review) -> ProjectView:
    """Record one reviewer's decision, and what follows from it.

    Raises:
        DeniedError: not a reviewer, or one with a conflict of interest: the policy says which.
        NotNowError: the application does not wait for reviews.
    """
    entry = Entry(subject.name, "project.reviewed", f"project/{project_id}", {"decision": decision.decision})
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "review_project", project_id)
        if project.state == ProjectState.SUBMITTED:
            also(session, move(project, ProjectState.IN_REVIEW, subject.name))
        project.reviews.append(
            ReviewRow(
                version=project.version,
                reviewer=subject.name,
                organisation=subject.organisation,
                decision=decision.decision,
                comment=decision.comment,
                decided_at=now(),
            )
        )
        session.flush()
        entry.details.update(version=project.version, comment=decision.comment)
        target = _outcome(project, decision)
        if target is not None:
            also(session, move(project, target, subject.name))
        return view(project)


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
