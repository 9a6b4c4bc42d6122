"""What the review screen shows: the queue of files on the left, and one of them on the right."""

from __future__ import annotations

from dataclasses import dataclass

from flip_sdk.contract.airlock import OutputView, ReleaseView
from flip_sdk.contract.states import OUTPUT, OutputState
from flip_sdk.errors import NotAllowedError
from sqlalchemy.orm import Session

from flip_hub.airlock.access import load_request, request_item
from flip_hub.airlock.decisions import goes_in_a_group, waits_for
from flip_hub.airlock.earlier import Earlier, Origin, earlier, origins
from flip_hub.airlock.previews import Preview, bytes_of, preview
from flip_hub.airlock.queue import by_risk
from flip_hub.airlock.requests import shown
from flip_hub.airlock.views import approved_contents
from flip_hub.database import Output, Project, ReleaseRequest
from flip_hub.governance.office import Office
from flip_hub.governance.when import check_when
from flip_hub.policy import Subject


@dataclass(frozen=True)
class Screen:
    """One release request, as one person works through it.

    Attributes:
        view: the request.
        project: whose it is.
        files: its files, those that wait for this person first and the riskiest of them first.
        at: the file on the right.
        waiting: ids of files that wait for this person.
        group: ids of those that may be approved together.
        is_checker: whether it is shown to somebody who checks, and not to the project's own team.
        refusal: why this person does not decide on it; empty where they do.
        may_withdraw: whether they may take it back.
        may_revoke: whether they may revoke what is released of it.
        preview: of the file on the right; None to the project's own team, who have it in the workspace.
        compared: with what was released and reviewed before.
        origins: the jobs that it is made of.
    """

    view: ReleaseView
    project: Project
    files: tuple[OutputView, ...]
    at: OutputView
    waiting: tuple[str, ...]
    group: tuple[str, ...]
    is_checker: bool
    refusal: str
    may_withdraw: bool
    may_revoke: bool
    preview: Preview | None
    compared: tuple[Earlier, ...]
    origins: tuple[Origin, ...]

    @property
    def neighbours(self) -> tuple[OutputView | None, OutputView | None]:
        """The files before and after the one on the right."""
        place = self.files.index(self.at)
        following = self.files[place + 1] if place + 1 < len(self.files) else None
        return (self.files[place - 1] if place else None), following

    @property
    def is_waiting(self) -> bool:
        """Whether the file on the right waits for this person."""
        return self.at.output_id in self.waiting

    @property
    def may_change(self) -> bool:
        """Whether this person decided on the file on the right, and may still change their mind."""
        return self.at.yours is not None and self.at.state is OutputState.IN_REVIEW and not self.refusal


def screen_of(office: Office, session: Session, subject: Subject, request_id: str, chosen: str) -> Screen:
    """The review screen.

    Args:
        office: governance.
        session: a transaction.
        subject: who looks.
        request_id: the request.
        chosen: id of the file on the right; without one, the first that waits.

    Raises:
        MissingError: there is no such request, or not for this person.
        DeniedError: an output checker with a conflict of interest.
    """
    row = load_request(office, session, subject, "view_release", request_id)
    target = request_item(session, row)
    project = session.get_one(Project, row.project_id)
    view = shown(session, subject, row)
    views = {output.output_id: output for output in view.outputs}
    ordered = by_risk(list(row.outputs), subject)
    is_checker = subject.name not in target.members
    refusal = _refusal(office, session, subject, row)
    waiting = [output for output in ordered if is_checker and not refusal and waits_for(output, subject)]
    before = approved_contents(session, row)
    at = next((output for output in ordered if output.output_id == chosen), ordered[0])
    looks = is_checker and office.policies.decide(subject, "review_release", target).allowed
    # what was not released goes with its project
    content = bytes_of(office, at) if looks and office.blobs.has(at.content) else None
    return Screen(
        view=view,
        project=project,
        files=tuple(views[output.output_id] for output in ordered),
        at=views[at.output_id],
        waiting=tuple(output.output_id for output in waiting),
        group=tuple(output.output_id for output in waiting if goes_in_a_group(output, before)),
        is_checker=is_checker,
        refusal=refusal,
        may_withdraw=row.open and office.policies.decide(subject, "withdraw_release", target).allowed,
        may_revoke=OUTPUT.allows(at.state, OutputState.REVOKED)
        and office.policies.decide(subject, "revoke_release", target).allowed,
        preview=_preview(at, content),
        compared=tuple(earlier(office, session, at, content)) if content is not None else (),
        origins=tuple(origins(session, at)),
    )


def _refusal(office: Office, session: Session, subject: Subject, row: ReleaseRequest) -> str:
    try:
        office.policies.authorise(subject, "review_release", request_item(session, row))
        check_when("review_release", session.get_one(Project, row.project_id))
    except NotAllowedError as error:
        return f"{error.message} {error.mend}".strip()
    return "Its checks are running; it can be decided on in a moment." if row.checked_at is None and row.open else ""


def _preview(at: Output, content: bytes | None) -> Preview | None:
    if content is None:
        return None
    return preview(at.path, at.examined.kind if at.examined else None, content, at.examined)
