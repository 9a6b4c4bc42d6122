"""What programs that watch over the hub read, and that they reach nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from flip_hub.api import create_app
from flip_hub.api.operating_routes import who_or_what_asks
from flip_hub.api.sessions import SESSION_COOKIE
from flip_hub.audit import verify_entries
from flip_hub.governance import services

from tests.hub.conftest import API, PAGES, Hub

Given = Callable[..., dict[str, str]]
OPEN = ("/health", "/register")


@pytest.fixture
def client(hub: Hub) -> TestClient:
    app = create_app(hub.office.config, hub.authenticator, components=hub.components)
    return TestClient(app, follow_redirects=False)


@pytest.fixture
def program(hub: Hub) -> Given:
    """The header of a program with these scopes."""

    def made(*scopes: str) -> dict[str, str]:
        given = services.create(hub.office.database, "a-program", purpose="Watches", scopes=scopes, days=1, by="tests")
        return {"Authorization": f"Bearer {given.token}"}

    return made


def test_how_the_hub_is_doing_in_numbers(hub: Hub, client: TestClient, program: Given) -> None:
    hub.ready()
    answer = client.get(f"{API}/monitoring", headers=program("monitoring:read"))
    assert answer.status_code == 200
    numbers = answer.json()
    assert numbers["trusts"] == 2
    assert numbers["audit_entries"] > 5
    assert "ada" not in answer.text


def test_the_audit_log_is_followed_without_a_gap(hub: Hub, client: TestClient, program: Given) -> None:
    hub.ready()
    header, entries, after = program("audit:read"), [], 0
    while page := client.get(f"{API}/audit", params={"after": after, "most": 3}, headers=header).json()["entries"]:
        entries += page
        after = page[-1]["sequence"]
    assert verify_entries(entries)[0] == len(entries) > 5


@pytest.mark.parametrize(("scope", "route"), [("audit:read", "/monitoring"), ("monitoring:read", "/audit")])
def test_a_scope_is_for_its_route_alone(client: TestClient, program: Given, scope: str, route: str) -> None:
    answer = client.get(API + route, headers=program(scope))
    assert answer.status_code == 403
    assert answer.json()["message"]


def test_people_read_them_by_their_roles(hub: Hub, client: TestClient) -> None:
    for person, statuses in (("olga", [200, 200]), ("rufus", [403, 200]), ("ada", [403, 403])):
        header = {"Authorization": f"token {hub.authenticator.sign_in(person)}"}
        found = [client.get(API + route, headers=header).status_code for route in ("/monitoring", "/audit")]
        assert found == statuses


def test_a_program_reaches_no_other_route(client: TestClient, program: Given) -> None:
    header = program(*services.SCOPES)
    reached = set()
    for path, methods, takes in _routes(client):
        for method in methods:
            if takes or path.startswith(tuple(API + one for one in OPEN)):
                continue
            address = path.replace("{kind}", "json").replace("{digest}", "sha256:" + "0" * 64)
            if client.request(method, address, headers=header).status_code not in {401, 403, 404, 422}:
                reached.add(f"{method} {path}")
    assert reached == {f"GET {PAGES}/oauth_callback", f"GET {PAGES}/logout"} | {
        f"GET {PAGES}{page}" for page in ("/register", "/register/audit")
    }
    assert client.get(f"{API}/me", headers=header).status_code == 403


def test_a_programs_token_in_a_cookie_is_none(client: TestClient, program: Given) -> None:
    token = program("monitoring:read")["Authorization"].split()[1]
    client.cookies.set(SESSION_COOKIE, token, path=f"{PAGES}/")
    for route in ("/monitoring", "/me"):
        assert client.get(API + route).status_code in {401, 403}


def test_a_revoked_token_is_nobodys(hub: Hub, client: TestClient, program: Given) -> None:
    header = program("monitoring:read")
    services.revoke(hub.office.database, "a-program", by="tests")
    assert client.get(f"{API}/monitoring", headers=header).status_code == 401


def _routes(client: TestClient):
    """Every route's address, methods, and whether it takes programs."""
    for included in client.app.routes:
        if not (router := getattr(included, "original_router", None)):
            continue
        for route in router.routes:
            assert isinstance(route, APIRoute)
            takes = any(one.call is who_or_what_asks for one in route.dependant.dependencies)
            yield included.include_context.prefix + route.path, route.methods, takes
