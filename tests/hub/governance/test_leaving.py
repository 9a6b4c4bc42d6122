"""Off-boarding: what governance decides by ends first; what could not be done is said, and done when run again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from flip_hub.database import Person, SignIn
from flip_hub.errors import MissingError, NotSignedInError, UnavailableError
from flip_hub.governance import leaving, sign_ins
from flip_hub.governance.sign_ins import Limits
from flip_hub.jupyterhub.hub_api import HubApi

DATABASES = ("sqlite",)


@dataclass
class Accounts:
    """JupyterHub, as far as it knows people."""

    running: list[str] | None
    away: bool = False
    done: list[str] = field(default_factory=list)

    def servers(self, person: str) -> list[str] | None:
        """Those that run."""
        if self.away:
            raise UnavailableError("JupyterHub does not answer.", "Run it again.")
        return self.running

    def stop(self, person: str, project: str) -> None:
        """Stop one."""
        self.done.append(f"stop {person}/{project}")

    def remove(self, person: str) -> None:
        """Remove the account."""
        self.done.append(f"remove {person}")
        self.running = None


def _leave(hub, accounts: Accounts, name: str = "ada") -> leaving.Left:
    return leaving.leave(hub.office.config, hub.office.database, accounts, name, by="olga")


def test_everything_ends_and_the_work_is_kept(hub) -> None:
    hub.approved()
    hub.approved("other", owner="bea", team=("ada",))
    home: Path = hub.office.config.workspaces / "cytology" / "ada"
    home.mkdir(parents=True)
    sign_ins.begin(hub.office.database, "s1", "ada", "password", {})
    accounts = Accounts(["cytology", "other"])
    done = _leave(hub, accounts)
    assert accounts.done == ["stop ada/cytology", "stop ada/other", "remove ada"]
    assert (done.sessions, done.stopped, done.removed) == (1, ("cytology", "other"), True)
    assert (done.owned, done.teams, done.homes) == (("cytology",), ("other",), (home,))
    assert home.is_dir()
    assert hub.events()[-1] == "person.left"
    with pytest.raises(NotSignedInError):
        sign_ins.standing(hub.office.database, Limits.of(hub.office.config), "s1", "ada", used=True)


def test_a_hub_that_is_away_ends_nothing_but_what_governance_decides_by_and_it_is_said(hub) -> None:
    hub.approved()
    accounts = Accounts(["cytology"], away=True)
    assert "does not answer" in _leave(hub, accounts).missing
    with hub.office.database.read() as session:
        assert not session.get_one(Person, "ada").active
    accounts.away = False
    assert _leave(hub, accounts).missing == ""
    assert accounts.done == ["stop ada/cytology", "remove ada"]


def test_nobody_of_this_name(hub) -> None:
    with pytest.raises(MissingError):
        _leave(hub, Accounts(None), "stranger")
    with hub.office.database.read() as session:
        assert not session.query(SignIn).filter_by(person="stranger").count()


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_jupyterhub_that_does_not_do_it_is_said(hub, status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    with HubApi(hub.office.config, transport) as api, pytest.raises(UnavailableError):
        api.remove("ada")
