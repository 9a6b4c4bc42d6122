"""Who sees which version: a draft's team, a release's audience; what was revoked, nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flip_hub.config import HubConfig
from flip_hub.dashboards.access import may_view, viewable
from flip_hub.errors import MissingError
from flip_hub.governance.office import Office
from flip_sdk.errors import NotAllowedError

from tests.hub.jupyterhub.homes import OPEN, OTHER, REPORT, populated_home, publish, release, revoke


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> HubConfig:
    made = populated_home(tmp_path_factory.mktemp("hub"))
    publish(made, REPORT)
    return made


@pytest.fixture
def office(config: HubConfig) -> Iterator[Office]:
    made = Office.of(config)
    yield made
    made.database.close()


def test_the_team_sees_a_draft(office: Office) -> None:
    assert may_view(office, "ada", OPEN, REPORT).version == 1
    assert may_view(office, "ben", OPEN, REPORT, 1).version == 1


@pytest.mark.parametrize(
    ("person", "project"), [("rufus", OPEN), ("ada", OTHER), ("nobody", OPEN), ("ada", "no-such-project")]
)
def test_others_do_not(office: Office, person: str, project: str) -> None:
    with pytest.raises(NotAllowedError) as caught:
        may_view(office, person, project, REPORT)
    assert caught.value.mend


def test_what_is_not_published_is_missing(office: Office) -> None:
    for name, version in (("unheard-of", None), (REPORT, 7)):
        with pytest.raises(MissingError):
            may_view(office, "ada", OPEN, name, version)


@pytest.mark.parametrize(
    ("audience", "rufus", "nobody"),
    [("project", False, False), ("signed-in", True, False), ("public", True, True)],
    ids=["project", "signed-in", "public"],
)
def test_a_release_is_seen_by_its_audience_until_it_is_revoked(
    config: HubConfig, office: Office, audience: str, rufus: bool, nobody: bool
) -> None:
    name = f"for-{audience}"
    publish(config, name)
    given = release(config, name, audience)
    publish(config, name, "'a newer draft'")
    assert sees(office, "ada", name) == 1
    assert sees(office, "ada", name, 2) == 2
    assert (sees(office, "rufus", name) == 1) is rufus
    assert sees(office, "rufus", name, 2) == 0
    assert (sees(office, None, name) == 1) is nobody
    assert sees(office, None, name, 2) == 0
    revoke(config, given)
    assert sees(office, "rufus", name) == sees(office, None, name) == sees(office, "ada", name, 1) == 0


def sees(office: Office, person: str | None, name: str, version: int | None = None) -> int:
    """The version that somebody sees; 0 where they see none."""
    try:
        if person:
            return may_view(office, person, OPEN, name, version).version
        with office.database.read() as session:
            return viewable(office, session, None, OPEN, name, version).version
    except (NotAllowedError, MissingError):
        return 0
