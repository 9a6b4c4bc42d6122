"""Links to dashboards: whom they admit, that two checkers agree to it, and what ends them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flip_hub.airlock import releases
from flip_hub.dashboards.access import may_view
from flip_hub.database import DashboardLink, LinkDecision, LinkReader, Output, Project, Routine, now
from flip_hub.errors import ConflictError, DeniedError, InvalidError, MissingError
from flip_hub.governance import dashboards, gallery, holdings, links, people
from flip_sdk.contract.api import PublishDashboard
from flip_sdk.contract.links import AskLink, DecideLink, LinkView
from flip_sdk.errors import NotAllowedError
from pydantic import ValidationError
from sqlalchemy import func, select

TABLES = (DashboardLink, LinkReader, LinkDecision)
WHY = "For the steering committee."
PAGES = "/services/flip"


def publish(airlock: Any, text: str = "", audience: str = "project") -> None:
    content = f'{{"cells": [], "metadata": {{"n": "{text}"}}}}'.encode()
    wanted = PublishDashboard(notebook=airlock.upload(content), name="report", title="The report")
    dashboards.publish(airlock.hub.office, airlock.hub.who("ada"), "cytology", wanted)
    airlock.released(
        {f"report{text}.txt": content}, audience=audience, **{f"report{text}.txt": {"dashboard": "report"}}
    )


@pytest.fixture
def board(airlock: Any) -> Any:
    publish(airlock)
    return airlock


def wanted(*readers: str, days: float = 9, reason: str = WHY) -> AskLink:
    return AskLink(readers=readers or ("bea",), ends_at=now() + timedelta(days=days), reason=reason)


def ask(airlock: Any, *readers: str, by: str = "ada", **changes: Any) -> LinkView:
    return links.ask(airlock.hub.office, airlock.hub.who(by), "cytology", "report", wanted(*readers, **changes))


def decide(airlock: Any, link: LinkView, who: str, agrees: bool = True) -> LinkView:
    return links.decide(airlock.hub.office, airlock.hub.who(who), link.link_id, DecideLink(agrees=agrees, reason=WHY))


def open_(airlock: Any, link: LinkView, who: str = "bea", workspace: str | None = None) -> str:
    secret = link.address.rpartition("/")[2]
    return links.open_(airlock.hub.office, airlock.hub.who(who, workspace), secret)


def agreed(airlock: Any, *readers: str, **changes: Any) -> LinkView:
    link = ask(airlock, *readers, **changes)
    decide(airlock, link, "cora")
    return decide(airlock, link, "cyril").model_copy(update={"address": link.address})


def sees(airlock: Any, who: str, version: int | None = None) -> bool:
    try:
        may_view(airlock.hub.office, who, "cytology", "report", version)
    except (NotAllowedError, MissingError):
        return False
    return True


def show(airlock: Any) -> LinkView:
    with airlock.hub.office.database.read() as session:
        return links.links_of(airlock.hub.office, session, airlock.hub.who("ada"), "cytology", "report")[0]


def test_a_link_admits_whom_it_names_once_two_agreed_and_they_opened_it(board: Any) -> None:
    link = ask(board, "bea", "nora")
    with pytest.raises(ConflictError, match="waits for two output checkers"):
        open_(board, link)
    assert decide(board, link, "cora").state == "asked"
    assert decide(board, link, "cyril").state == "agreed"
    # agreed, and not opened: a name alone opens nothing
    assert not sees(board, "bea")
    assert open_(board, link).startswith("/services/dashboards/voila/render/cytology/report/")
    assert sees(board, "bea")
    assert not sees(board, "nora")
    with board.hub.office.database.read() as session:
        found = gallery.seen_by(board.hub.office, session, board.hub.who("bea"))
        assert [row.name for row in found] == ["report"]
    open_(board, link)
    assert {one.name: one.opened for one in show(board).readers} == {"bea": 2, "nora": 0}
    events = board.hub.events()
    assert [events.count(f"link.{one}") for one in ("asked", "decided", "opened")] == [1, 2, 2]


def test_passed_on_or_guessed_it_opens_nothing(board: Any) -> None:
    link = agreed(board)
    for who in ("alan", "sam", "nora", "cora"):
        with pytest.raises(MissingError, match="opens nothing for you"):
            open_(board, link, who)
        assert sees(board, who) == (who in ("alan", "cora"))
    guessed = link.model_copy(update={"address": "links/open/" + "x" * 43})
    with pytest.raises(MissingError, match="opens nothing for you"):
        open_(board, guessed)
    with pytest.raises(MissingError):
        open_(board, link, "bea", "cytology")
    assert not sees(board, "bea")


def test_checkers_look_at_what_they_decide_on(board: Any) -> None:
    ask(board)
    # of another organisation; of the team's own; no checker
    assert [sees(board, who) for who in ("cora", "nina", "bea")] == [True, False, False]
    publish(board, "2")
    assert sees(board, "cora")
    assert [sees(board, who, 1) for who in ("cora", "nina", "bea")] == [True, False, False]
    dashboards.publish(
        board.hub.office,
        board.hub.who("ada"),
        "cytology",
        PublishDashboard(notebook=board.upload(b'{"cells": [], "metadata": {"n": "3"}}'), name="report"),
    )
    assert not sees(board, "cora", 3)
    with board.hub.office.database.read() as session:
        cora = board.hub.who("cora")
        found = gallery.versions_for(board.hub.office, session, cora, "cytology", "report")
        assert [one.version for one in found] == [2, 1]
        first = session.scalars(select(Output.output_id).order_by(Output.decided_at)).first()
    releases.revoke(board.hub.office, board.hub.who("cyril"), str(first), "It tells too much, we see now.")
    assert not sees(board, "cora", 1)


def test_the_hub_keeps_no_address(board: Any) -> None:
    link = ask(board)
    secret = link.address.rpartition("/")[2]
    assert len(secret) == 43
    assert show(board).address == ""
    for file in board.hub.office.config.home.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    "how", ["ended by its owner", "ended by a checker", "its day", "another version", "revoked", "closed", "left"]
)
def test_what_ends_a_link_ends_what_it_opened(board: Any, how: str) -> None:
    link, office = agreed(board), board.hub.office
    open_(board, link)
    assert sees(board, "bea")
    match how:
        case "ended by its owner":
            links.end(office, board.hub.who("ada"), link.link_id)
        case "ended by a checker":
            links.end(office, board.hub.who("chloe"), link.link_id)
        case "its day":
            with office.database.write(Routine("a test turns the clock")) as session:
                session.get_one(DashboardLink, link.link_id).ends_at = now() - timedelta(seconds=1)
        case "another version":
            publish(board, "2")
        case "revoked":
            with office.database.read() as session:
                (output,) = session.scalars(select(Output.output_id))
            releases.revoke(office, board.hub.who("cora"), output, "It tells too much, we see now.")
        case "closed":
            with office.database.write(Routine("a test turns the clock")) as session:
                session.get_one(Project, "cytology").expires_at = now() - timedelta(seconds=1)
        case "left":
            people.close_account(office.database, "bea", by="olga")
    assert not sees(board, "bea")
    with pytest.raises((MissingError, ConflictError)):
        open_(board, link)


def test_only_its_owner_asks_and_only_checkers_from_elsewhere_decide(board: Any) -> None:
    for who in ("alan", "bea", "cora", "olga"):
        with pytest.raises(DeniedError):
            ask(board, by=who)
    link = ask(board, "bea", "chloe")
    for who, policy in (
        ("nina", "outputs.check_own_organisation"),
        ("ada", "outputs.check_own"),
        ("chloe", "outputs.review_link_to_oneself"),
    ):
        with pytest.raises(DeniedError) as refused:
            decide(board, link, who)
        assert refused.value.policy == policy
    decide(board, link, "cora")
    with pytest.raises(ConflictError, match="You have decided"):
        decide(board, link, "cora")
    with pytest.raises(DeniedError):
        links.end(board.hub.office, board.hub.who("bea"), link.link_id)


def test_checkers_are_blind_to_each_other_and_one_refusal_ends_it(board: Any) -> None:
    link = ask(board)
    waiting = lambda who: SimpleNamespace(office=board.hub.office, who=board.hub.who(who))  # noqa: E731
    decide(board, link, "cora")
    assert (show(board).decided, show(board).decisions) == (1, ())
    for who, count in (("cora", 0), ("cyril", 1), ("nina", 0)):
        with board.hub.office.database.read() as session:
            found = links.waiting(board.hub.office, session, waiting(who).who)
        assert len(found) == count, who
    assert decide(board, link, "cyril", agrees=False).state == "refused"
    assert [one.agrees for one in show(board).decisions] == [True, False]
    with pytest.raises(MissingError):
        open_(board, link)
    with pytest.raises(ConflictError, match="does not wait"):
        decide(board, link, "chloe")


@pytest.mark.parametrize(
    ("readers", "changes", "words"),
    [
        (("nobody",), {}, "Without an account at this hub: nobody"),
        (("alan",), {}, "On the project's team already: alan"),
        (("bea", "bea"), {}, "named twice"),
        (("bea",), {"days": -1}, "ended already"),
        (("bea",), {"days": 91}, "90 days at most"),
    ],
)
def test_what_cannot_be_asked_for(board: Any, readers: tuple[str, ...], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidError, match=words):
        ask(board, *readers, **changes)


def test_a_link_needs_a_reason_and_has_at_most_twenty_readers() -> None:
    for readers, reason in (((), WHY), (("bea",), "short"), (tuple(f"p{n}" for n in range(21)), WHY)):
        with pytest.raises(ValidationError):
            AskLink(readers=readers, ends_at=datetime(2030, 1, 1, tzinfo=UTC), reason=reason)


def test_what_is_not_shown_or_shown_to_more_has_no_links(airlock: Any) -> None:
    with pytest.raises(MissingError):
        ask(airlock)
    publish(airlock, "1", "signed-in")
    with pytest.raises(ConflictError, match="needs no link"):
        ask(airlock)


def test_what_is_deleted_with_its_project_takes_its_links(board: Any) -> None:
    open_(board, agreed(board))
    with board.hub.office.database.write(Routine("a test deletes")) as session:
        holdings.forget(session, "cytology")
    with board.hub.office.database.read() as session:
        assert [session.scalar(select(func.count()).select_from(table)) for table in TABLES] == [0, 0, 0]


def test_on_pages(board: Any) -> None:
    hub = board.hub
    ada, cora, cyril, bea = (hub.browser(name) for name in ("ada", "cora", "cyril", "bea"))
    place = f"{PAGES}/dashboards/cytology/report/links"
    assert "Links, which show it to persons" in ada.get(f"{PAGES}/dashboards/cytology/report").text
    form = {"readers": "bea", "until": "soon", "reason": WHY}
    assert "cannot be read" in send(ada, place, place, form).text
    day = f"{now() + timedelta(days=9):%Y-%m-%d}"
    assert (
        "Without an account at this hub: xen" in send(ada, place, place, form | {"until": day, "readers": "xen"}).text
    )
    answer = send(ada, place, place, form | {"until": day})
    address = answer.text.partition("<code")[2].partition(">")[2].partition("<")[0]
    link_id = show(board).link_id
    assert "Bea" in cora.get(f"{PAGES}/links").text
    missing = send(cora, f"{PAGES}/links", f"{PAGES}/links/{link_id}/decision", {"agrees": "yes", "reason": ""})
    assert missing.status_code == 422
    for checker in (cora, cyril):
        decided = send(checker, f"{PAGES}/links", f"{PAGES}/links/{link_id}/decision", {"agrees": "yes", "reason": WHY})
        assert decided.status_code == 303
    opened = bea.get(address)
    assert opened.status_code == 303
    assert opened.headers["location"].endswith("/cytology/report/notebook.ipynb")
    assert "opened it 1 time" in ada.get(place).text
    assert send(ada, place, f"{PAGES}/links/{link_id}/end", {}).status_code == 303
    assert not sees(board, "bea")


def send(who: Any, page: str, to: str, form: dict[str, str]) -> Any:
    """Send a form with the token of the page that it stands on."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', who.get(page).text)
    assert token is not None
    return who.post(to, data={"csrf_token": token[1], **form})
