"""JupyterHub's gate: approved, unexpired, and a member."""

from __future__ import annotations

import pytest
from flip_hub.governance.people import close_account
from flip_hub.governance.workspaces import may_open
from flip_sdk.errors import NotAllowedError


def test_a_member_opens_an_approved_projects_workspace(hub) -> None:
    hub.approved(team=("alan",))
    for name in ("ada", "alan"):
        may_open(hub.office.config, name, "cytology")


@pytest.mark.parametrize("bring", ["draft", "submitted", "expired"])
def test_not_before_approval_and_not_after_expiry(hub, bring: str) -> None:
    getattr(hub, bring)()
    with pytest.raises(NotAllowedError) as caught:
        may_open(hub.office.config, "ada", "cytology")
    assert caught.value.message


@pytest.mark.parametrize("name", ["bea", "rufus", "olga", "stranger"])
def test_nobody_else(hub, name: str) -> None:
    hub.approved()
    with pytest.raises(NotAllowedError):
        may_open(hub.office.config, name, "cytology")
    assert hub.events()[-1] == "access.denied"


def test_no_such_project(hub) -> None:
    with pytest.raises(NotAllowedError):
        may_open(hub.office.config, "ada", "nothing")


def test_a_closed_account(hub) -> None:
    hub.approved()
    close_account(hub.office.database, "ada", by="olga")
    with pytest.raises(NotAllowedError):
        may_open(hub.office.config, "ada", "cytology")
