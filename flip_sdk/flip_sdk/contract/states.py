"""State machines as tables: which transition, whose it is, and the audit event it writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from flip_sdk.errors import FlipError


class TransitionError(FlipError):
    """A record was asked to make a step that its table does not have."""


@dataclass(frozen=True)
class Transition:
    """One row: ``source`` → ``target``, made by ``owner``, recorded as ``event``."""

    source: StrEnum
    target: StrEnum
    owner: str
    event: str


@dataclass(frozen=True)
class StateMachine:
    """A named table of transitions. States without a way out are its ends."""

    name: str
    states: type[StrEnum]
    start: StrEnum
    transitions: tuple[Transition, ...]

    def step(self, source: str, target: str) -> Transition:
        """The row for this step.

        Raises:
            TransitionError: there is none.
        """
        for row in self.transitions:
            if row.source == source and row.target == target:
                return row
        raise TransitionError(f"{self.name}: no step from {source} to {target}")

    def allows(self, source: str, target: str) -> bool:
        """Whether the table has this step."""
        return any(row.source == source and row.target == target for row in self.transitions)

    def ends(self) -> frozenset[StrEnum]:
        """States that nothing leaves."""
        return frozenset(self.states) - {row.source for row in self.transitions}


def rows(owner: str, event: str, sources: Iterable[StrEnum], target: StrEnum) -> tuple[Transition, ...]:
    """The same step from several states."""
    return tuple(Transition(source, target, owner, event) for source in sources)


class ProjectState(StrEnum):
    """A project's life."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    CHANGES_REQUESTED = "changes_requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    CLOSED = "closed"


_P = ProjectState
PROJECT = StateMachine(
    "project",
    ProjectState,
    _P.DRAFT,
    (
        Transition(_P.DRAFT, _P.SUBMITTED, "researcher", "project.submitted"),
        Transition(_P.CHANGES_REQUESTED, _P.SUBMITTED, "researcher", "project.submitted"),
        Transition(_P.SUBMITTED, _P.IN_REVIEW, "reviewer", "project.review_started"),
        Transition(_P.IN_REVIEW, _P.CHANGES_REQUESTED, "reviewer", "project.changes_requested"),
        Transition(_P.IN_REVIEW, _P.REJECTED, "reviewer", "project.rejected"),
        Transition(_P.IN_REVIEW, _P.APPROVED, "reviewer", "project.approved"),
        Transition(_P.APPROVED, _P.SUSPENDED, "operator", "project.suspended"),
        Transition(_P.SUSPENDED, _P.APPROVED, "operator", "project.resumed"),
        *rows("governance", "project.expired", (_P.APPROVED, _P.SUSPENDED), _P.EXPIRED),
        *rows("operator", "project.closed", (_P.APPROVED, _P.SUSPENDED, _P.EXPIRED), _P.CLOSED),
    ),
)


class JobState(StrEnum):
    """A job's life at the hub."""

    SUBMITTED = "submitted"
    VALIDATED = "validated"
    SIGNED_OFF = "signed_off"
    EXECUTING = "executing"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FAILED = "failed"


_J = JobState
JOB = StateMachine(
    "job",
    JobState,
    _J.SUBMITTED,
    (
        Transition(_J.SUBMITTED, _J.VALIDATED, "governance", "job.validated"),
        Transition(_J.VALIDATED, _J.SIGNED_OFF, "governance", "job.signed_off"),
        Transition(_J.SIGNED_OFF, _J.EXECUTING, "dispatcher", "job.executing"),
        Transition(_J.EXECUTING, _J.COMPLETED, "dispatcher", "job.completed"),
        *rows("governance", "job.rejected", (_J.SUBMITTED, _J.VALIDATED), _J.REJECTED),
        *rows("dispatcher", "job.cancelled", (_J.SIGNED_OFF, _J.EXECUTING), _J.CANCELLED),
        *rows("governance", "job.cancelled", (_J.SUBMITTED, _J.VALIDATED), _J.CANCELLED),
        *rows("dispatcher", "job.failed", (_J.SIGNED_OFF, _J.EXECUTING), _J.FAILED),
    ),
)


class TaskState(StrEnum):
    """A task's life at a Trust."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXECUTED = "executed"
    PROTECTED = "protected"
    REPORTED = "reported"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_T = TaskState
TASK = StateMachine(
    "task",
    TaskState,
    _T.OFFERED,
    (
        Transition(_T.OFFERED, _T.ACCEPTED, "admission", "task.accepted"),
        Transition(_T.OFFERED, _T.REFUSED, "admission", "task.refused"),
        Transition(_T.ACCEPTED, _T.REFUSED, "engine", "task.refused"),
        Transition(_T.ACCEPTED, _T.EXECUTED, "engine", "task.executed"),
        Transition(_T.EXECUTED, _T.PROTECTED, "disclosure", "task.protected"),
        Transition(_T.ACCEPTED, _T.PROTECTED, "egress", "task.repeated"),
        Transition(_T.PROTECTED, _T.REPORTED, "egress", "task.reported"),
        *rows("agent", "task.failed", (_T.ACCEPTED, _T.EXECUTED), _T.FAILED),
        *rows("agent", "task.expired", (_T.OFFERED, _T.ACCEPTED, _T.PROTECTED), _T.EXPIRED),
        *rows("agent", "task.cancelled", (_T.OFFERED, _T.ACCEPTED, _T.EXECUTED, _T.PROTECTED), _T.CANCELLED),
    ),
)


class OutputState(StrEnum):
    """An output's life in the airlock. ``blocked``: a check found what is never released."""

    REQUESTED = "requested"
    CHECKED = "checked"
    BLOCKED = "blocked"
    IN_REVIEW = "in_review"
    RELEASED = "released"
    WITHHELD = "withheld"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"


_O = OutputState
OUTPUT = StateMachine(
    "output",
    OutputState,
    _O.REQUESTED,
    (
        Transition(_O.REQUESTED, _O.CHECKED, "airlock", "output.checked"),
        Transition(_O.CHECKED, _O.IN_REVIEW, "output checker", "output.review_started"),
        Transition(_O.IN_REVIEW, _O.RELEASED, "output checker", "output.released"),
        Transition(_O.IN_REVIEW, _O.WITHHELD, "output checker", "output.withheld"),
        *rows("airlock", "output.blocked", (_O.REQUESTED, _O.CHECKED, _O.IN_REVIEW), _O.BLOCKED),
        *rows("researcher", "output.withdrawn", (_O.REQUESTED, _O.CHECKED, _O.IN_REVIEW), _O.WITHDRAWN),
        Transition(_O.RELEASED, _O.REVOKED, "output checker", "output.revoked"),
    ),
)


class IngressState(StrEnum):
    """The life of a file that is to be brought into a project's workspaces."""

    REQUESTED = "requested"
    CHECKED = "checked"
    ADMITTED = "admitted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_I = IngressState
INGRESS = StateMachine(
    "ingress",
    IngressState,
    _I.REQUESTED,
    (
        Transition(_I.REQUESTED, _I.CHECKED, "airlock", "ingress.checked"),
        Transition(_I.REQUESTED, _I.REFUSED, "airlock", "ingress.refused"),
        Transition(_I.CHECKED, _I.ADMITTED, "output checker or data steward", "ingress.admitted"),
        Transition(_I.CHECKED, _I.REFUSED, "output checker or data steward", "ingress.refused"),
        *rows("researcher", "ingress.withdrawn", (_I.REQUESTED, _I.CHECKED), _I.WITHDRAWN),
    ),
)

MACHINES = (PROJECT, JOB, TASK, OUTPUT, INGRESS)
