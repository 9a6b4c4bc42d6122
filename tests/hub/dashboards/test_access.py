from __future__ import annotations

import pytest
from flip_hub.config import HubConfig
from flip_hub.dashboards.access import check_may_view
from flip_hub.database import Dashboard, Database, Routine
from flip_hub.errors import MissingError
from flip_sdk.contract.states import OutputState
from flip_sdk.errors import NotAllowedError

from tests.hub.jupyterhub.homes import OPEN, OTHER, REPORT, populated_home, publish


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> HubConfig:
    made = populated_home(tmp_path_factory.mktemp("hub"))
    publish(made, REPORT)
    return made


def test_members_see_it(config: HubConfig) -> None:
    check_may_view(config, "ada", OPEN, REPORT)
    check_may_view(config, "ben", OPEN, REPORT)


@pytest.mark.parametrize(
    ("person", "project"), [("rufus", OPEN), ("ada", OTHER), ("nobody", OPEN), ("ada", "no-such-project")]
)
def test_others_do_not(config: HubConfig, person: str, project: str) -> None:
    with pytest.raises(NotAllowedError) as caught:
        check_may_view(config, person, project, REPORT)
    assert caught.value.mend


def test_what_is_not_published_is_missing(config: HubConfig) -> None:
    with pytest.raises(MissingError):
        check_may_view(config, "ada", OPEN, "unheard-of")


@pytest.mark.parametrize("state", [OutputState.WITHHELD, OutputState.REVOKED])
def test_what_was_withdrawn_is_missing(config: HubConfig, state: OutputState) -> None:
    publish(config, f"{state}-one")
    database = Database.of(config)
    with database.write(Routine("made by a test")) as session:
        row = session.get(Dashboard, (OPEN, f"{state}-one"))
        assert row is not None
        row.state = state
    database.close()
    with pytest.raises(MissingError):
        check_may_view(config, "ada", OPEN, f"{state}-one")
