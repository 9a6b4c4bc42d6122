"""Who somebody is whom a provider proved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flip_hub.config import HubConfig
from flip_hub.database import Identity, Person
from flip_hub.errors import MissingError, SignInError
from flip_hub.governance import identities, people
from flip_hub.oidc import Proven, Rules

from tests.hub.conftest import Hub

RULES = Rules.of(HubConfig(home=Path("/nowhere"), oidc_roles="r = researcher; c = output checker", oidc_registers=True))
ADA = Proven("https://provider.example", "u1", "ada", "Ada", "", frozenset({"output checker"}), ("mfa",), "")
NEW = replace(ADA, subject="u2", name="newcomer", organisation="Southport")


def known(hub: Hub, name: str) -> tuple[list[str], str]:
    with hub.office.database.read() as session:
        person = session.get_one(Person, name)
        return person.roles, person.organisation


def test_roles_of_groups_come_and_go_and_others_stay(hub: Hub) -> None:
    mina = replace(ADA, name="mina")
    identities.take(hub.office.database, mina, RULES)
    assert known(hub, "mina") == (["governance reviewer", "output checker"], "Patient Council")
    identities.take(hub.office.database, replace(mina, roles=frozenset(), organisation="Elsewhere"), RULES)
    assert known(hub, "mina") == (["governance reviewer"], "Elsewhere")


def test_the_first_sign_in_binds_a_name_to_a_subject(hub: Hub) -> None:
    database = hub.office.database
    identities.take(database, ADA, RULES)
    for other in (replace(ADA, subject="u9"), replace(ADA, issuer="https://other.example"), replace(ADA, name="bea")):
        with pytest.raises(SignInError):
            identities.take(database, other, RULES)
    identities.unbind(database, "ada", by="tests")
    identities.take(database, replace(ADA, subject="u9"), RULES)
    with database.read() as session:
        assert session.get_one(Identity, "ada").subject == "u9"
    with pytest.raises(MissingError):
        identities.unbind(database, "bea", by="tests")


def test_newcomers_are_registered_where_the_hub_says_so_and_a_group_and_an_organisation_are_known(hub: Hub) -> None:
    database = hub.office.database
    never = Rules.of(replace(RULES.config, oidc_registers=False))
    for proven, rules in (
        (NEW, never),
        (replace(NEW, roles=frozenset()), RULES),
        (replace(NEW, organisation=""), RULES),
    ):
        with pytest.raises(SignInError):
            identities.take(database, proven, rules)
    identities.take(database, NEW, RULES)
    assert known(hub, "newcomer") == (["output checker"], "Southport")


def test_a_closed_account_stays_closed(hub: Hub) -> None:
    people.close_account(hub.office.database, "ada", by="tests")
    with pytest.raises(SignInError):
        identities.take(hub.office.database, ADA, RULES)
