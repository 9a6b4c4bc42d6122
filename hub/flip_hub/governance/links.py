"""Links: a project's owner asks to show a dashboard to named persons until a day, and two output checkers agree to it.

A link admits nobody by itself. Its address holds 32 random bytes, of which the hub keeps the digest; they are asked for
once of each reader, who signs in as well.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

from flip_sdk.contract.links import AskLink, DecideLink, LinkDecisionView, LinkReaderView, LinkState, LinkView
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import ProjectState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.airlock.access import item_of
from flip_hub.config import HubConfig
from flip_hub.dashboards.access import item
from flip_hub.dashboards.versions import shown
from flip_hub.database import (
    DashboardLink,
    DashboardVersion,
    Entry,
    LinkDecision,
    LinkReader,
    Person,
    Project,
    now,
)
from flip_hub.errors import ConflictError, InvalidError, MissingError
from flip_hub.governance.access import HUB
from flip_hub.governance.dashboards import ADDRESS
from flip_hub.governance.office import Office
from flip_hub.governance.when import check_when, state_of
from flip_hub.policy import Object, Subject

NEEDED = 2
"""Checkers who have to agree: as many as release a dashboard."""
OPENING = "links/open/"
_NO_LINK = MissingError(
    "This link opens nothing for you.", "Ask whoever gave it to you whether it still holds, and for whom."
)


def ask(office: Office, subject: Subject, project_id: str, name: str, wanted: AskLink) -> LinkView:
    """Ask for a link to the version that is shown. It opens once two output checkers have agreed.

    Returns:
        the link, with the only sight of its address.

    Raises:
        DeniedError: not the project's owner.
        MissingError: there is no such dashboard, or none of it is shown.
        ConflictError: its audience needs no link.
        InvalidError: a reader without an account, or one who sees it anyway; or an end that is over or too late.
    """
    secret, link_id = secrets.token_urlsafe(32), secrets.token_hex(8)
    entry = Entry(subject.name, "link.asked", f"project/{project_id}", {"link": link_id, "dashboard": name})
    with office.database.write(entry) as session:
        row = _shown(office, session, subject, "share_dashboard", project_id, name)
        project = session.get_one(Project, project_id)
        check_when("share_dashboard", project)
        if row.audience != "project":
            raise ConflictError(
                "This dashboard needs no link: it was released to more than its team.", "Give its address."
            )
        _check_end(office.config, project, wanted)
        _check_readers(session, project, wanted)
        link = DashboardLink(
            link_id=link_id,
            project_id=project_id,
            name=name,
            version=row.version,
            token=digest(secret.encode()),
            state="asked",
            reason=wanted.reason,
            asked_by=subject.name,
            asked_at=now(),
            ends_at=wanted.ends_at,
            readers=[LinkReader(reader=one, opened=0) for one in wanted.readers],
        )
        session.add(link)
        session.flush()
        entry.details.update(version=row.version, readers=list(wanted.readers), ends_at=wanted.ends_at.isoformat())
        return view(session, link).model_copy(update={"address": f"{OPENING}{secret}"})


def decide(office: Office, subject: Subject, link_id: str, decision: DecideLink) -> LinkView:
    """Agree to a link, or refuse it: two who agree open it, one who refuses ends it.

    Raises:
        MissingError: no such link for them.
        DeniedError: a policy says no.
        ConflictError: it was decided, or they have decided.
    """
    entry = Entry(subject.name, "link.decided", _place(office, link_id), {"link": link_id, "agrees": decision.agrees})
    with office.database.write(entry) as session:
        link = _load(office, session, subject, "review_link", link_id)
        check_when("review_link", session.get_one(Project, link.project_id))
        if state(session, link) != "asked":
            raise ConflictError("This link does not wait for a decision any more.", "See the links that do.")
        if any(one.checker == subject.name for one in link.decisions):
            raise ConflictError("You have decided on this link.", "Another output checker decides now.")
        link.decisions.append(
            LinkDecision(checker=subject.name, agrees=decision.agrees, reason=decision.reason, decided_at=now())
        )
        if not decision.agrees:
            link.state = "refused"
        elif len(link.decisions) >= NEEDED:
            link.state = "agreed"
        session.flush()
        entry.details.update(dashboard=link.name, state=link.state)
        return view(session, link)


def end(office: Office, subject: Subject, link_id: str) -> LinkView:
    """End a link now: pages that it opened end with it.

    Raises:
        MissingError: no such link for them.
        DeniedError: a policy says no.
        ConflictError: it has ended.
    """
    entry = Entry(subject.name, "link.ended", _place(office, link_id), {"link": link_id})
    with office.database.write(entry) as session:
        link = _load(office, session, subject, "end_link", link_id)
        if state(session, link) not in ("asked", "agreed"):
            raise ConflictError("This link has ended.", "Ask for another one where it is needed.")
        link.state = "ended"
        session.flush()
        entry.details.update(dashboard=link.name)
        return view(session, link)


def open_(office: Office, subject: Subject, secret: str) -> str:
    """Open a link as one of those whom it names.

    Returns:
        the dashboard's address, which admits them from now on until the link ends.

    Raises:
        MissingError: no such link, or not for them, or not (any more).
        ConflictError: it waits for its checkers.
    """
    with office.database.read() as session:
        chosen = select(DashboardLink.link_id).where(DashboardLink.token == digest(secret.encode()))
        link_id = session.scalars(chosen).one_or_none()
    if link_id is None:
        raise _NO_LINK
    entry = Entry(subject.name, "link.opened", _place(office, link_id), {"link": link_id})
    with office.database.write(entry) as session:
        link, reader = session.get_one(DashboardLink, link_id), session.get(LinkReader, (link_id, subject.name))
        if reader is None or not subject.active or subject.workspace:
            raise _NO_LINK
        found = state(session, link)
        if found == "asked":
            raise ConflictError("This link waits for two output checkers.", "Come back when they have decided.")
        if found != "agreed" or state_of(session.get_one(Project, link.project_id)) != ProjectState.APPROVED:
            raise _NO_LINK
        reader.opened += 1
        reader.last_opened_at = now()
        return ADDRESS.format(project=link.project_id, name=link.name)


def may_ask(office: Office, session: Session, subject: Subject, project_id: str, name: str) -> bool:
    """Whether this person asks for links to the version that is shown."""
    row = shown(session, project_id, name)
    if row is None or row.audience != "project":
        return False
    is_now = state_of(session.get_one(Project, project_id)) == ProjectState.APPROVED
    return is_now and office.policies.decide(subject, "share_dashboard", item(session, row)).allowed


def may_see(office: Office, session: Session, subject: Subject, project_id: str, name: str) -> bool:
    """Whether this person sees the links to a dashboard that is shown to its team alone."""
    row = shown(session, project_id, name)
    if row is None or row.audience != "project":
        return False
    return office.policies.decide(subject, "view_links", item(session, row)).allowed


def check_may_ask(office: Office, subject: Subject, project_id: str, name: str) -> None:
    """Refuse whoever asks for no links, before what they sent is read.

    Raises:
        DeniedError: not the project's owner.
        MissingError: there is no such dashboard, or none of it is shown.
    """
    with office.database.read() as session:
        _shown(office, session, subject, "share_dashboard", project_id, name)


def check_may_decide(office: Office, subject: Subject, link_id: str) -> None:
    """Refuse whoever decides on no links, before what they sent is read.

    Raises:
        DeniedError: a policy says no.
        MissingError: there is no such link.
    """
    with office.database.read() as session:
        _load(office, session, subject, "review_link", link_id)


def title_of(session: Session, project_id: str, name: str) -> str:
    """What a dashboard is called."""
    row = shown(session, project_id, name)
    return (row.title or row.name) if row else name


def links_of(office: Office, session: Session, subject: Subject, project_id: str, name: str) -> list[LinkView]:
    """All links to a dashboard, the newest first, for its owner and those who oversee it.

    Raises:
        DeniedError: others.
        MissingError: there is no such dashboard.
    """
    _shown(office, session, subject, "view_links", project_id, name)
    chosen = select(DashboardLink).where(DashboardLink.project_id == project_id, DashboardLink.name == name)
    return [view(session, link) for link in session.scalars(chosen.order_by(DashboardLink.asked_at.desc()))]


def waiting(office: Office, session: Session, subject: Subject) -> list[LinkView]:
    """Links that wait for this output checker, the oldest first.

    Raises:
        DeniedError: no output checker.
    """
    office.policies.authorise(subject, "check_outputs", HUB)
    chosen = select(DashboardLink).where(DashboardLink.state == "asked").order_by(DashboardLink.asked_at)
    return [
        view(session, link)
        for link in session.scalars(chosen)
        if state(session, link) == "asked"
        and all(one.checker != subject.name for one in link.decisions)
        and office.policies.decide(subject, "review_link", target(session, link)).allowed
    ]


def target(session: Session, link: DashboardLink) -> Object:
    """A link, as the policies see it."""
    seen = item_of(session, session.get_one(Project, link.project_id), f"link/{link.link_id}", link.asked_by)
    return replace(seen, guests=frozenset(one.reader for one in link.readers))


def state(session: Session, link: DashboardLink) -> LinkState:
    """Where a link stands at this moment."""
    row = shown(session, link.project_id, link.name)
    open_still = link.state in ("asked", "agreed")
    if open_still and (link.ends_at <= now() or row is None or row.version != link.version):
        return "over"
    found: LinkState = link.state  # type: ignore[assignment]
    return found


def view(session: Session, link: DashboardLink) -> LinkView:
    """A link, without what opens it; decisions are told once they are all there."""
    row = session.get_one(DashboardVersion, (link.project_id, link.name, link.version))
    told = link.decisions if link.state != "asked" else []
    return LinkView(
        link_id=link.link_id,
        project_id=link.project_id,
        dashboard=link.name,
        version=link.version,
        title=row.title or row.name,
        state=state(session, link),
        reason=link.reason,
        readers=tuple(_reader(session, one) for one in link.readers),
        asked_by=link.asked_by,
        asked_at=link.asked_at,
        ends_at=link.ends_at,
        decided=len(link.decisions),
        decisions=tuple(LinkDecisionView(decided_by=d.checker, agrees=d.agrees, reason=d.reason) for d in told),
    )


def _reader(session: Session, row: LinkReader) -> LinkReaderView:
    person = session.get_one(Person, row.reader)
    return LinkReaderView(
        name=person.name,
        display_name=person.display_name,
        organisation=person.organisation,
        opened=row.opened,
        last_opened_at=row.last_opened_at,
    )


def _place(office: Office, link_id: str) -> str:
    """What an audit entry is about."""
    with office.database.read() as session:
        link = session.get(DashboardLink, link_id)
        return f"project/{link.project_id}" if link else f"link/{link_id}"


def _load(office: Office, session: Session, subject: Subject, action: str, link_id: str) -> DashboardLink:
    link = session.get(DashboardLink, link_id)
    if link is None:
        raise MissingError("There is no such link.", "See the links of the dashboard, or those that wait.")
    office.policies.authorise(subject, action, target(session, link))
    return link


def _shown(
    office: Office, session: Session, subject: Subject, action: str, project_id: str, name: str
) -> DashboardVersion:
    row = shown(session, project_id, name)
    if row is None:
        raise MissingError("There is no such dashboard, or none of its versions is shown.", "Have it released first.")
    office.policies.authorise(subject, action, item(session, row))
    return row


def _check_end(config: HubConfig, project: Project, wanted: AskLink) -> None:
    latest = min(now() + timedelta(days=config.link_days), project.expires_at)
    if wanted.ends_at <= now():
        raise InvalidError("The link would have ended already.", "Choose a day that is to come.")
    if wanted.ends_at > latest:
        raise InvalidError(
            f"A link ends after {config.link_days} days at most, and with its project.",
            f"Choose {latest:%d %B %Y} or a day before it.",
        )


def _check_readers(session: Session, project: Project, wanted: AskLink) -> None:
    if len(set(wanted.readers)) != len(wanted.readers):
        raise InvalidError("A reader is named twice.", "Name each of them once.")
    rows = {row.name: row for row in session.scalars(select(Person).where(Person.name.in_(wanted.readers)))}
    unknown = [one for one in wanted.readers if one not in rows or not rows[one].active]
    if unknown:
        mend = "Ask the operator to give them one, or leave them out."
        raise InvalidError(f"Without an account at this hub: {', '.join(unknown)}.", mend)
    if team := [one for one in wanted.readers if one in project.members]:
        raise InvalidError(f"On the project's team already: {', '.join(team)}.", "Leave them out: they see it.")
