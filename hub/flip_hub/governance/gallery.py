"""The gallery: every dashboard that is shown, of all projects, as far as this person may see it."""

from __future__ import annotations

from dataclasses import dataclass

from flip_sdk.contract.api import DashboardView
from flip_sdk.contract.states import OutputState
from flip_sdk.errors import NotAllowedError
from sqlalchemy.orm import Session

from flip_hub.dashboards.access import item
from flip_hub.dashboards.layout import place
from flip_hub.dashboards.thumbnails import FORMS, about, thumbnail
from flip_hub.dashboards.versions import all_shown, newest, shown, versions_of
from flip_hub.dashboards.words import KINDS, state_of
from flip_hub.database import DashboardVersion, Project
from flip_hub.errors import MissingError
from flip_hub.governance.access import object_of
from flip_hub.governance.dashboards import view
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

ON_A_PAGE = 24
_UNKNOWN = "There is no such dashboard for you."
_MEND = "See the gallery for those that there are."


@dataclass(frozen=True)
class Asked:
    """What somebody looks for; empty is everything.

    Attributes:
        find: words of a title, a name or a project.
        page: from 1.
    """

    find: str = ""
    project: str = ""
    kind: str = ""
    audience: str = ""
    page: int = 1


@dataclass(frozen=True)
class Found:
    """One page of the gallery, the newest release first.

    Attributes:
        everything: how many this person may see, whatever they look for.
        total: how many match.
        number: of this page, from 1.
        projects: ids of projects that have one, with their titles.
    """

    cards: list[DashboardView]
    everything: int
    total: int
    number: int
    pages: int
    projects: dict[str, str]


def seen_by(office: Office, session: Session, subject: Subject) -> list[DashboardVersion]:
    """What is shown of all projects and this person may see, the newest release first. No look is a refusal."""
    may = office.policies.decide
    return [row for row in all_shown(session) if may(subject, "view_released_dashboard", item(session, row)).allowed]


def search(office: Office, session: Session, subject: Subject, asked: Asked) -> Found:
    """One page of what matches."""
    rows = seen_by(office, session, subject)
    titles = {row.project_id: session.get_one(Project, row.project_id).application.title for row in rows}
    matching = [row for row in rows if _matches(row, titles[row.project_id], asked)]
    pages = max(1, -(-len(matching) // ON_A_PAGE))
    number = min(asked.page, pages)
    chosen = matching[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
    cards = [view(session, row) for row in chosen]
    return Found(cards, len(rows), len(matching), number, pages, dict(sorted(titles.items())))


def versions_for(office: Office, session: Session, subject: Subject, project_id: str, name: str) -> list[DashboardView]:
    """A dashboard's versions, the newest first.

    All of them for its project's team, those that were released for output checkers, the shown one for its audience.

    Raises:
        DeniedError: it is for others.
        MissingError: there is none, as far as this person may know.
    """
    rows = versions_of(session, project_id, name)
    if not _is_team(office, session, subject, project_id):
        visible = _shown_to(office, session, subject, project_id, name)
        chooses = may_choose(office, session, subject, project_id, name)
        rows = [row for row in rows if row.state == OutputState.RELEASED] if chooses else [visible]
    if not rows:
        raise MissingError(_UNKNOWN, _MEND)
    return [view(session, row) for row in rows]


def picture(office: Office, subject: Subject, project_id: str, name: str) -> tuple[bytes, str]:
    """A dashboard's thumbnail and its media type: drawn of the version that is shown, or a card with its title.

    Raises:
        DeniedError: it is for others.
        MissingError: there is none, as far as this person may know.
    """
    with office.database.read() as session:
        row = _shown_to(office, session, subject, project_id, name)
    return _drawn(office, row)


def check_may_choose(office: Office, session: Session, subject: Subject, project_id: str, name: str) -> None:
    """Refuse whoever does not choose which released version is shown.

    Raises:
        DeniedError: neither the project's owner nor an output checker who may decide on it.
        MissingError: there is no such dashboard.
    """
    row = newest(session, project_id, name)
    if row is None:
        raise MissingError(_UNKNOWN, _MEND)
    office.policies.authorise(subject, "show_dashboard_version", item(session, row))


def may_choose(office: Office, session: Session, subject: Subject, project_id: str, name: str) -> bool:
    """Whether this person chooses which released version is shown."""
    try:
        check_may_choose(office, session, subject, project_id, name)
    except NotAllowedError:
        return False
    return True


def _drawn(office: Office, row: DashboardVersion) -> tuple[bytes, str]:
    folder = place(office.config, row.project_id, row.name, row.version)
    known = about(folder)
    # what was drawn as a draft, or cleared meanwhile, is not shown
    if known is not None and known.state == state_of(row) and (path := folder / known.thumbnail).is_file():
        return path.read_bytes(), FORMS[path.suffix.removeprefix(".")]
    return thumbnail("", row.title or row.name, KINDS.get(row.kind, ""))[1], FORMS["svg"]


def _shown_to(office: Office, session: Session, subject: Subject, project_id: str, name: str) -> DashboardVersion:
    row = shown(session, project_id, name)
    if row is None:
        raise MissingError(_UNKNOWN, _MEND)
    office.policies.authorise(subject, "view_released_dashboard", item(session, row))
    return row


def _is_team(office: Office, session: Session, subject: Subject, project_id: str) -> bool:
    project = session.get(Project, project_id)
    if project is None or subject.name not in project.members:
        return False
    return office.policies.decide(subject, "view_dashboard", object_of(session, project)).allowed


def _matches(row: DashboardVersion, project: str, asked: Asked) -> bool:
    text = f"{row.title} {row.name} {row.project_id} {project}".casefold()
    return (
        all(word in text for word in asked.find.casefold().split())
        and asked.project in ("", row.project_id)
        and asked.kind in ("", row.kind)
        and asked.audience in ("", row.audience)
    )
