"""Conditions of an approval: open until a reviewer confirms that they are met; some keep work from starting."""

from __future__ import annotations

from collections.abc import Iterator

from flip_sdk.contract.applications import ConditionView
from flip_sdk.contract.check import Violation

from flip_hub.database import Condition, Entry, Project, now
from flip_hub.errors import ConflictError, InvalidError, MissingError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject


def conditions_of(project: Project) -> list[Condition]:
    """What the approval of the present submission hangs on."""
    return [row for row in project.conditions if row.version == project.version]


def confirm(office: Office, subject: Subject, project_id: str, condition_id: int, how: str) -> ConditionView:
    """Say that a condition is met, and what shows it.

    Raises:
        DeniedError: not a reviewer, or one of the team's organisations.
        InvalidError: nothing is said of how it is met.
        MissingError: there is no such condition.
        ConflictError: it is confirmed already.
    """
    if not how.strip():
        raise InvalidError("Say what shows that the condition is met.", "Name the document, or what you have seen.")
    details = {"condition": condition_id, "how": how.strip()}
    entry = Entry(subject.name, "project.condition_met", f"project/{project_id}", details)
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "confirm_condition", project_id)
        row = next((row for row in conditions_of(project) if row.condition_id == condition_id), None)
        if row is None:
            raise MissingError("There is no such condition.", "Load the page again.")
        if row.confirmed_by:
            raise ConflictError("This condition is confirmed already.", "There is nothing to do.")
        row.confirmed_by, row.confirmed_at, row.how = subject.name, now(), how.strip()
        return view(row)


def open_before_start(project: Project) -> Iterator[Violation]:
    """The rule that keeps jobs back: one violation for each condition that has to be met first."""
    for row in conditions_of(project):
        if row.before_start and not row.confirmed_by:
            yield Violation(
                rule="condition_open",
                where="project",
                message=f"The project was approved on a condition that is not met yet: {row.text}",
                mend="Meet it, and ask a reviewer to confirm it on the project's page.",
            )


def view(row: Condition) -> ConditionView:
    """A condition as others see it."""
    return ConditionView(
        condition_id=row.condition_id,
        text=row.text,
        due_on=row.due_on,
        before_start=row.before_start,
        set_by=row.set_by,
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        how=row.how,
    )
