"""When something may be done with a project: tables over its state. Who may is policy, and not here."""

from __future__ import annotations

from datetime import datetime

from flip_sdk.contract.states import JOB, PROJECT, ProjectState, TransitionError
from sqlalchemy import update
from sqlalchemy.orm import Session

from flip_hub.database import Entry, Job, Project, also, now
from flip_hub.errors import ConflictError, NotNowError

_S = ProjectState
_WORKING = frozenset({_S.APPROVED})
_RELEASING = frozenset({_S.APPROVED, _S.EXPIRED})
"""What was asked for in time is decided on afterwards too; nothing leaves a suspended project."""

STATES_OF_ACTION: dict[str, frozenset[ProjectState]] = {
    "edit_project": frozenset({_S.DRAFT, _S.CHANGES_REQUESTED}),
    "review_project": frozenset({_S.SUBMITTED, _S.IN_REVIEW}),
    "comment_project": frozenset(
        {_S.SUBMITTED, _S.IN_REVIEW, _S.CHANGES_REQUESTED, _S.REJECTED, _S.APPROVED, _S.SUSPENDED}
    ),
    "confirm_condition": frozenset({_S.APPROVED, _S.SUSPENDED}),
    "sign_agreement": frozenset({_S.APPROVED, _S.SUSPENDED}),
    "upload": _WORKING,
    "download": _WORKING,
    "submit_job": _WORKING,
    "sign_off_job": _WORKING,
    "view_result": _WORKING,
    "open_workspace": _WORKING,
    "set_resources": frozenset({_S.APPROVED, _S.SUSPENDED}),
    "install_packages": _WORKING,
    "publish_dashboard": _WORKING,
    "view_dashboard": _WORKING,
    "request_release": _WORKING,
    "review_release": _RELEASING,
    "share_dashboard": _WORKING,
    "review_link": _WORKING,
    "request_ingress": _WORKING,
    "review_ingress": _WORKING,
}
"""Actions that are not listed may be done in every state."""

_WORDS: dict[ProjectState, tuple[str, str]] = {
    _S.DRAFT: ("is a draft that was not submitted yet", "Submit its application."),
    _S.SUBMITTED: ("waits for its reviewers", "It opens when two reviewers have approved it."),
    _S.IN_REVIEW: ("is being reviewed", "It opens when two reviewers have approved it."),
    _S.CHANGES_REQUESTED: (
        "waits for changes that a reviewer asked for",
        "Change the application and submit it again.",
    ),
    _S.APPROVED: ("is approved", "This is done before approval only."),
    _S.REJECTED: ("was rejected", "Read the reviewers' comments, and apply with a new project."),
    _S.SUSPENDED: ("was suspended by an operator", "Ask the operator when it resumes."),
    _S.EXPIRED: ("has expired", "Apply for a new project to go on."),
    _S.CLOSED: ("is closed", "Apply for a new project to go on."),
}
_TOLD = frozenset({_S.SUSPENDED, _S.CLOSED})
EXPIRES = frozenset({_S.APPROVED, _S.SUSPENDED})
"""States that an end comes to."""


def state_of(project: Project, moment: datetime | None = None) -> ProjectState:
    """A project's state at this moment: one whose time is over has expired, whatever was written last."""
    state = ProjectState(project.state)
    if state in EXPIRES and project.expires_at <= (moment or now()):
        return _S.EXPIRED
    return state


def check_when(action: str, project: Project) -> None:
    """Raise where the project's state does not have this action.

    Raises:
        NotNowError: with the state in words.
    """
    state = state_of(project)
    if state not in STATES_OF_ACTION.get(action, frozenset(ProjectState)):
        words, mend = _WORDS[state]
        reason = f" The reason: {project.state_reason}" if state in _TOLD and project.state_reason else ""
        raise NotNowError(f"Project {project.project_id} {words}.{reason}", mend)


def move(project: Project, target: ProjectState, actor: str) -> Entry:
    """Make one step of the project's state table; call :func:`settle` before, so that an expiry comes first.

    Returns:
        The audit entry to write with it.

    Raises:
        ConflictError: the table has no such step.
    """
    source = ProjectState(project.state)
    try:
        row = PROJECT.step(source, target)
    except TransitionError as error:
        words, mend = _WORDS[source]
        raise ConflictError(f"Project {project.project_id} {words}; it cannot become {target}.", mend) from error
    project.state = row.target
    details = {"from": str(source), "to": str(target), "version": project.version}
    return Entry(actor, row.event, f"project/{project.project_id}", details)


def settle(session: Session, project: Project) -> bool:
    """Write down an expiry that has come about, in the caller's transaction.

    Returns:
        Whether there was one.
    """
    if state_of(project) == project.state:
        return False
    also(session, move(project, _S.EXPIRED, "governance"))
    stop_jobs(session, project)
    return True


def stop_jobs(session: Session, project: Project) -> None:
    """Ask the dispatcher to end what runs for a project that may no longer run anything."""
    ends = [str(state) for state in JOB.ends()]
    running = (Job.project_id == project.project_id) & Job.state.not_in(ends)
    session.execute(update(Job).where(running).values(cancel_requested=True))
