"""Who finds which dashboard in the gallery, and what they are told of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flip_hub.config import HubConfig
from flip_hub.dashboards.layout import place
from flip_hub.database import AuditRow, DashboardVersion
from flip_hub.errors import DeniedError, MissingError
from flip_hub.governance import gallery
from flip_hub.governance.gallery import Asked
from flip_hub.governance.office import Office, identify
from sqlalchemy import func, select

from tests.hub.jupyterhub.homes import OPEN, populated_home, publish, release, revoke


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> HubConfig:
    made = populated_home(tmp_path_factory.mktemp("hub"))
    for audience in ("project", "signed-in", "public"):
        publish(made, f"for-{audience}", title=f"Loss for {audience}", kind="training report")
        release(made, f"for-{audience}", audience)
    publish(made, "draft")
    publish(made, "gone")
    revoke(made, release(made, "gone", "public"))
    publish(made, "for-public", title="A draft of the next")
    return made


@pytest.fixture
def office(config: HubConfig) -> Iterator[Office]:
    made = Office.of(config)
    yield made
    made.database.close()


def found(office: Office, person: str, **asked: str | int) -> list[str]:
    with office.database.read() as session:
        subject = identify(session, person)
        return [card.title for card in gallery.search(office, session, subject, Asked(**asked)).cards]  # type: ignore[arg-type]


ALL = ["Loss for public", "Loss for signed-in", "Loss for project"]


def test_each_person_finds_what_was_released_for_them_the_newest_first(office: Office) -> None:
    assert found(office, "ada") == found(office, "ben") == ALL
    assert found(office, "rufus") == ALL[:2]


def test_what_is_hidden_is_no_refusal(office: Office) -> None:
    def entries() -> int:
        with office.database.read() as session:
            return session.scalar(select(func.count()).select_from(AuditRow)) or 0

    before = entries()
    found(office, "rufus")
    assert entries() == before


@pytest.mark.parametrize(
    ("asked", "titles"),
    [
        ({"find": "LOSS public"}, ALL[:1]),
        ({"find": "open-project"}, ALL),
        ({"audience": "project"}, ALL[2:]),
        ({"kind": "training report"}, ALL),
        ({"kind": "monitoring"}, []),
        ({"project": "other-project"}, []),
        ({"page": 99}, ALL),
    ],
    ids=["words", "project-id", "audience", "kind", "no-kind", "no-project", "page"],
)
def test_it_is_searched(office: Office, asked: dict[str, str | int], titles: list[str]) -> None:
    assert found(office, "ada", **asked) == titles


def test_pages_are_cut_after_what_is_hidden(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "ON_A_PAGE", 1)
    assert found(office, "rufus", page=2) == ALL[1:2]
    with office.database.read() as session:
        page = gallery.search(office, session, identify(session, "rufus"), Asked())
    assert (page.total, page.pages, page.everything) == (2, 2, 2)


def test_its_team_sees_every_version_and_others_the_one_that_is_shown(office: Office) -> None:
    with office.database.read() as session:
        team, other = identify(session, "ben"), identify(session, "rufus")
        assert [one.version for one in gallery.versions_for(office, session, team, OPEN, "for-public")] == [2, 1]
        assert [one.version for one in gallery.versions_for(office, session, other, OPEN, "for-public")] == [1]
        with pytest.raises(DeniedError):
            gallery.versions_for(office, session, other, OPEN, "for-project")
        for name in ("draft", "gone", "unheard-of"):
            with pytest.raises(MissingError):
                gallery.versions_for(office, session, other, OPEN, name)


def test_a_picture_is_of_what_was_released_and_a_card_until_it_is_drawn(config: HubConfig, office: Office) -> None:
    with office.database.read() as session:
        ada, rufus = identify(session, "ada"), identify(session, "rufus")
        row = session.get_one(DashboardVersion, (OPEN, "for-public", 1))
        released = f"{row.released_at:%d %B %Y}"
    content, kind = gallery.picture(office, ada, OPEN, "for-public")
    assert (b"Loss for public" in content, kind) == (True, "image/svg+xml")

    folder = place(config, OPEN, "for-public", 1)
    folder.mkdir(parents=True)
    (folder / "thumbnail.png").write_bytes(b"drawn")
    state = f"Released on {released} for everybody"
    for said, expected in (("A draft, for its project's team", False), (state, True)):
        about = f'{{"state": "{said}", "live": false, "whole": true, "thumbnail": "thumbnail.png"}}'
        (folder / "about.json").write_text(about)
        assert (gallery.picture(office, rufus, OPEN, "for-public") == (b"drawn", "image/png")) is expected
    with pytest.raises(DeniedError):
        gallery.picture(office, rufus, OPEN, "for-project")
